/**
 * @file `best_of` and `best_of_options`: how many candidates a request samples, and how the best of them are chosen.
 */

import { Type, type Static } from "typebox";
import { votedParts } from "../best-of-n/strategies/majority.ts";
import { rewardFallbacks, strategies, streamModes, type BestOfOptions, type Strategy } from "../best-of-n/options.ts";
import { checkStages, mostStages } from "../best-of-n/pruning/schedule.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { nullable, words, type RequestLimits } from "./wire/schema.ts";

/** Longest deadline: an hour. */
const longestDeadlineMs = 3_600_000;
/** Beyond any reward; keeps sums finite. */
const largestReward = 1e9;
const modelName = { minLength: 1, maxLength: 1024 };

const PruneStages = Type.Array(
  Type.Object(
    {
      at: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: "Part of max_tokens that the answers have come to." }),
      keep: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: "Part of the candidates still running that goes on." }),
    },
    { additionalProperties: false },
  ),
  { minItems: 1, maxItems: mostStages },
);

const Options = Type.Object(
  {
    reward_model: nullable(
      Type.String({
        ...modelName,
        description:
          "Id of the reward model; absent: the one over this policy's own states, else the one that the policy's card names, else the server's default, else the only one.",
      }),
    ),
    strategy: nullable(
      words(strategies, {
        description:
          "max: the best reward. soft: drawn by exp(reward / soft_temperature). majority: the answer that most candidates give. mbr: the one most like the others. knockout: a tournament of pairs. logprob: the highest mean log-probability. Absent: max where there is a reward model; in /v1/completions without best_of_options, logprob.",
      }),
    ),
    judge_model: nullable(
      Type.String({
        ...modelName,
        description: "Id of a chat model that compares the pairs of a knockout; absent: the reward model does.",
      }),
    ),
    soft_temperature: nullable(
      Type.Number({ exclusiveMinimum: 0, maximum: 1000, default: 1, description: "Of soft, in units of the reward." }),
    ),
    vote_on: nullable(words(votedParts, { default: "text", description: "What of an answer has a vote in majority." })),
    prune: Type.Optional(
      Type.Union([words(["off", "auto"]), PruneStages, Type.Null()], {
        default: "off",
        description:
          "Drop candidates by the rewards of their beginnings. auto: as the reward model's own measurements allow, not at all where it has none. A list: the stages.",
      }),
    ),
    deadline_ms: nullable(
      Type.Integer({
        minimum: 1,
        maximum: longestDeadlineMs,
        description: "Answer with the best so far after this time. Decoding ends a little before, so that what was cut can be scored.",
      }),
    ),
    target_reward: nullable(
      Type.Number({
        minimum: -largestReward,
        maximum: largestReward,
        description: "Stop as soon as n candidates that have ended reach this.",
      }),
    ),
    sample_cost: nullable(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: largestReward,
        description: "Stop as soon as one more candidate is not expected to add this much to the reward (Pandora's rule).",
      }),
    ),
    reward_fallback: nullable(
      words(rewardFallbacks, {
        default: "error",
        description: "When the reward model or judge fails: the error, the highest mean log-probability, or the first candidate.",
      }),
    ),
    stream: nullable(
      words(streamModes, {
        default: "progress",
        description: "With stream: true, what is told before the winner: how far the candidates are, all of them, or nothing.",
      }),
    ),
    return_candidates: nullable(Type.Boolean({ default: false, description: "Give the texts of all candidates in best_of.rewards." })),
  },
  { additionalProperties: false },
);
type Options = Static<typeof Options>;

/** The fields, for the object schemas of both routes. */
export const bestOfFields = (limits: RequestLimits) => ({
  best_of: nullable(
    Type.Integer({
      minimum: 1,
      maximum: limits.maxN,
      description:
        "Candidates to sample, at least n, of which the n best come back, best first. Without best_of_options, n itself chooses nothing.",
    }),
  ),
  best_of_options: nullable({ ...Options, description: "How the best candidates are chosen." } as typeof Options),
});

/** The values of the fields, after validation. */
export interface BestOfFields {
  n?: number | null;
  stream?: boolean | null;
  best_of?: number | null;
  best_of_options?: Options | null;
}

/** What a request asks for, before the server's models are known. */
export interface BestOfRequest {
  /** N. */
  candidates: number;
  options: Omit<BestOfOptions, "strategy"> & { strategy: Strategy | undefined };
  returnCandidates: boolean;
  /** The options that were sent, for `checkStrategy`. */
  given: readonly (keyof Options)[];
}

const invalid = (option: string, message: string): BonsaiError =>
  new BonsaiError("invalid_request", message, { param: `best_of_options.${option}` });

/** The strategies that an option means something to. */
const belonging: Partial<Record<keyof Options, readonly Strategy[]>> = {
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
    given: (Object.keys(sent) as (keyof Options)[]).filter((option) => sent[option] !== null && sent[option] !== "off"),
  };
}

function toOptions(options: Options, n: number, isStream: boolean): BestOfRequest["options"] {
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
