/** @file From `best_of` and `best_of_options` to the options of Best-of-N. */

import type { BestOfOptions, Strategy } from "../../best-of-n/options.ts";
import { checkStages } from "../../best-of-n/pruning/schedule.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { BestOfFields, BestOfOptionFields } from "../wire/best-of-request.ts";

/** What a request asks for, before the server's models are known. */
export interface BestOfRequest {
  /** N. */
  candidates: number;
  options: Omit<BestOfOptions, "strategy"> & { strategy: Strategy | undefined };
  returnCandidates: boolean;
  /** The options that were sent, for `checkStrategy`. */
  given: readonly (keyof BestOfOptionFields)[];
}

const invalid = (option: string, message: string): BonsaiError =>
  new BonsaiError("invalid_request", message, { param: `best_of_options.${option}` });

/** The strategies that an option means something to. */
const belonging: Partial<Record<keyof BestOfOptionFields, readonly Strategy[]>> = {
  reward_model: ["max", "soft", "knockout"],
  judge_model: ["knockout"],
  soft_temperature: ["soft"],
  vote_on: ["majority"],
  prune: ["max", "soft", "logprob"],
  target_reward: ["max", "soft", "logprob"],
  sample_cost: ["max", "soft"],
  reward_fallback: ["max", "soft", "knockout"],
};

/**
 * What the fields ask for; undefined for plain sampling, which is all that there is without `best_of`, or with one that
 * leaves nothing to choose.
 * @param alias N of the model's name, such as 8 of "name:bo8"
 * @throws BonsaiError `invalid_request` naming the field
 */
export function toBestOfRequest(fields: BestOfFields, alias: number | undefined): BestOfRequest | undefined {
  const n = fields.n ?? 1;
  const given = fields.best_of ?? undefined;
  const options = fields.best_of_options ?? undefined;
  if (given !== undefined && alias !== undefined && given !== alias)
    throw new BonsaiError("invalid_request", `best_of is ${given} and the model's name asks for ${alias}: send one of them.`, {
      param: "best_of",
    });
  const candidates = given ?? alias;
  if (candidates === undefined) {
    if (options === undefined) return undefined;
    throw new BonsaiError("invalid_request", "best_of_options needs best_of, the number of candidates.", { param: "best_of" });
  }
  if (candidates < n) {
    throw new BonsaiError(
      "invalid_request",
      `best_of is ${candidates} and must be at least n, ${n}: the answers that come back are chosen among the candidates.`,
      {
        param: "best_of",
      },
    );
  }
  if (options === undefined && candidates === n) return undefined;
  const sent = options ?? {};
  return {
    candidates,
    options: toOptions(sent, n, fields.stream === true),
    returnCandidates: sent.return_candidates ?? false,
    given: (Object.keys(sent) as (keyof BestOfOptionFields)[]).filter((option) => sent[option] !== null && sent[option] !== "off"),
  };
}

function toOptions(options: BestOfOptionFields, n: number, isStream: boolean): BestOfRequest["options"] {
  if (typeof options.stream === "string" && !isStream) throw invalid("stream", "best_of_options.stream is only allowed with stream: true.");
  const prune = options.prune ?? "off";
  if (typeof prune !== "string") checkStages(prune, "best_of_options.prune");
  return {
    strategy: options.strategy ?? undefined,
    rewardModel: options.reward_model ?? undefined,
    judgeModel: options.judge_model ?? undefined,
    returned: n,
    softTemperature: options.soft_temperature ?? 1,
    voteOn: options.vote_on ?? "text",
    prune,
    deadlineMs: options.deadline_ms ?? undefined,
    targetReward: options.target_reward ?? undefined,
    sampleCost: options.sample_cost ?? undefined,
    rewardFallback: options.reward_fallback ?? "error",
    // Nobody hears of progress in an answer that comes whole.
    stream: isStream ? (options.stream ?? "progress") : "winner",
  };
}

/**
 * An option that would change nothing is a mistake that its sender wants to hear of.
 * @param strategy the request's own, or the one that it gets
 * @throws BonsaiError `invalid_request` naming an option that means nothing to the strategy
 */
export function checkStrategy(given: BestOfRequest["given"], strategy: Strategy): void {
  for (const option of given) {
    const owners = belonging[option];
    if (owners === undefined || owners.includes(strategy)) continue;
    throw invalid(option, `best_of_options.${option} means nothing to the strategy ${strategy}: it belongs to ${owners.join(", ")}.`);
  }
}

/** Reads an alias: "name:bo8" asks for the best of 8 of "name". Undefined for a name without ":bo". */
export function parseBestOfAlias(name: string): { model: string; candidates: number } | undefined {
  const match = /^(.+):bo([1-9]\d{0,5})$/.exec(name);
  return match === null ? undefined : { model: match[1]!, candidates: Number(match[2]) };
}

/** How many answers a stream tells of: those that come back, or all candidates. */
export function toldAnswers({ n }: BestOfFields, bestOf: BestOfRequest | undefined): number {
  return bestOf?.options.stream === "candidates" ? bestOf.candidates : (n ?? 1);
}
