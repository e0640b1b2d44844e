/** @file Best-of-N for the routes: which reward model and strategy a request gets, and what its candidates are sampled, scored and compared with. */

import type { RewardAnswers } from "../../best-of-n/reward-requests.ts";
import { AutomaticSchedules } from "../../best-of-n/pruning/automatic-schedules.ts";
import { bestOfN } from "../../best-of-n/run.ts";
import type { BestOfEvent } from "../../best-of-n/events.ts";
import type { BestOfOptions } from "../../best-of-n/options.ts";
import type { BestOfResources } from "../../best-of-n/resources.ts";
import { tokenStages, type TokenStage } from "../../best-of-n/pruning/schedule.ts";
import { ScoringPace } from "../../best-of-n/scoring-pace.ts";
import type { Config } from "../../config/options.ts";
import type { Engine, GenerateEvent, GenerateRequest, Generating, ModelInfo } from "../../engine/contract/request.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { checkStrategy, parseBestOfAlias, type BestOfRequest } from "../../protocol/best-of-request.ts";
import { judgeByLanguageModel } from "../../judges/language-model.ts";
import { normalized } from "../../reward/normalization.ts";
import { engineTextModel } from "../../judges/text-model.ts";
import type { Message } from "../../text/conversation/message.ts";
import { findPolicy, type RunRequest } from "./generation.ts";
import type { Metrics } from "../metrics.ts";
import { findRewardModel } from "./scoring.ts";

/** The policy of a request, and N where its name asks for it. */
export interface RequestedPolicy {
  model: ModelInfo;
  candidates: number | undefined;
}

/**
 * The policy of that name, which may end in ":bo8" for the best of 8, for clients that cannot send more fields. A model that is served under such a name
 * is itself.
 * @throws BonsaiError as `findPolicy` does; `invalid_request` for an N that the server does not take
 */
export function findRequestedPolicy(engine: Engine, name: string, { maxN }: Pick<Config, "maxN">): RequestedPolicy {
  const alias = engine.models.some(({ id }) => id === name) ? undefined : parseBestOfAlias(name);
  if (alias === undefined) return { model: findPolicy(engine, name), candidates: undefined };
  const model = findPolicy(engine, alias.model);
  if (alias.candidates <= maxN) return { model, candidates: alias.candidates };
  throw new BonsaiError(
    "invalid_request",
    `The model's name asks for the best of ${alias.candidates}; the server takes at most ${maxN} (--max-n).`,
    {
      param: "model",
    },
  );
}

/** Of one server: what it has learnt of its reward models' pace, and where it counts. */
export class BestOfServing {
  readonly #config: Config;
  readonly #metrics: Metrics;
  readonly #paces = new Map<string, ScoringPace>();
  readonly #automatic = new AutomaticSchedules();

  constructor(config: Config, metrics: Metrics) {
    this.#config = config;
    this.#metrics = metrics;
  }

  /**
   * What runs the requests of a body.
   * @param usual The strategy where neither the request nor a reward model decides: OpenAI's in /v1/completions, none in chat.
   * @throws BonsaiError `invalid_request` or `model_not_found` naming an option
   */
  runner(engine: Engine, model: ModelInfo, bestOf: BestOfRequest, usual: "logprob" | undefined): RunRequest {
    const options = this.#resolve(engine, model, bestOf, usual);
    return (request, signal) =>
      this.#counted(bestOfN(request, options, this.#resources(engine, model, options, request), signal), model.id);
  }

  /** Fills in the reward model and the strategy, and holds them against each other. */
  #resolve(engine: Engine, policy: ModelInfo, { options, given }: BestOfRequest, usual: "logprob" | undefined): BestOfOptions {
    const { judgeModel } = options;
    // Without any options, completions mean what OpenAI means.
    const named = options.rewardModel ?? (usual !== undefined && given.length === 0 ? undefined : this.#usualRewardModel(engine, policy));
    const strategy = options.strategy ?? (named === undefined ? (usual ?? "max") : "max");
    checkStrategy(given, strategy);
    const needsRewards = strategy === "max" || strategy === "soft" || (strategy === "knockout" && judgeModel === undefined);
    if (needsRewards && named === undefined) {
      const served = engine.models.filter(({ kind }) => kind === "reward").map(({ id }) => id);
      const others = served.length === 0 ? "none is served" : `served are ${served.join(", ")}`;
      throw invalid(
        "reward_model",
        `The strategy ${strategy} needs a reward model, and ${others}: name one, or take the strategy logprob, majority or mbr.`,
      );
    }
    const rewardModel = needsRewards ? named : undefined;
    if (rewardModel !== undefined) naming("reward_model", () => findRewardModel(engine, rewardModel));
    if (judgeModel !== undefined) naming("judge_model", () => findPolicy(engine, judgeModel));
    return { ...options, strategy, rewardModel };
  }

  /** The reward model that the policy names, else one over its own states, else the server's default, else the only one. */
  #usualRewardModel(engine: Engine, policy: ModelInfo): string | undefined {
    const served = engine.models.filter(({ kind, reward }) => kind === "reward" && reward?.form !== "value");
    const own =
      served.find(({ id }) => id === policy.rewardModel) ??
      served.find(({ base, reward }) => base === policy.id && reward?.form === "policy-head");
    const { rewardModel } = this.#config;
    return own?.id ?? (rewardModel === "" ? (served.length === 1 ? served[0]!.id : undefined) : rewardModel);
  }

  #resources(engine: Engine, model: ModelInfo, options: BestOfOptions, request: GenerateRequest): BestOfResources {
    const conversation = conversationOf(request, options);
    const read = readingAlong(engine, model, options, request);
    const reward = options.rewardModel === undefined ? undefined : this.#reward(engine, options.rewardModel, conversation, read.rewards);
    return {
      generate: (candidates, signal) => this.#observed(read.generate(candidates, signal), model.id),
      reward,
      compare: this.#compare(engine, options, conversation, request.seed, reward),
      stagesOf: (promptTokens) => {
        const maxTokens = Math.min(request.maxTokens ?? this.#config.defaultMaxTokens, model.contextLength - promptTokens);
        return this.#stages(engine, options, request.n, maxTokens);
      },
    };
  }

  /** @param known rewards of whole answers by their texts, which need no asking */
  #reward(
    engine: Engine,
    id: string,
    conversation: readonly Message[],
    known: ReadonlyMap<string, number>,
  ): NonNullable<BestOfResources["reward"]> {
    const score = scoringOf(engine, id, conversation);
    let pace = this.#paces.get(id);
    if (pace === undefined) this.#paces.set(id, (pace = new ScoringPace()));
    const valueModel = valueModelOf(engine, id);
    return {
      pace,
      beginnings: valueModel === undefined ? undefined : scoringOf(engine, valueModel, conversation),
      answers: async (answers, signal) => {
        const unknown = answers.filter((answer) => !known.has(answer));
        const asked = unknown.length === 0 ? [] : await score(unknown, signal);
        const found = new Map(unknown.map((answer, at) => [answer, asked[at]]));
        return answers.map((answer) => known.get(answer) ?? found.get(answer));
      },
    };
  }

  #compare(
    engine: Engine,
    { judgeModel }: BestOfOptions,
    prompt: readonly Message[],
    seed: number,
    reward: BestOfResources["reward"],
  ): BestOfResources["compare"] {
    if (judgeModel !== undefined) {
      const model = engineTextModel(engine, judgeModel);
      return async (first, second, signal) => {
        const judge = judgeByLanguageModel(judgeModel, { model, seed, signal });
        const judged = { prompt, answers: [first, second], references: [], origins: [], index: 0 };
        return (await judge.compare(judged, 0, 1)).preference;
      };
    }
    if (reward === undefined) return undefined;
    const known = new Map<string, Promise<number | undefined>>();
    const rewardOf = (answer: string, signal: AbortSignal): Promise<number | undefined> => {
      const found = known.get(answer) ?? reward.answers([answer], signal).then(([only]) => only);
      known.set(answer, found);
      return found;
    };
    return async (first, second, signal) => {
      const [one, other] = await Promise.all([rewardOf(first, signal), rewardOf(second, signal)]);
      return one === undefined || other === undefined ? undefined : (Math.sign(one - other) as 1 | 0 | -1);
    };
  }

  /** Without measurements of a reward model, nothing says when its judgement of a beginning is worth anything: `auto` then prunes nothing. */
  #stages(engine: Engine, { prune, rewardModel, returned }: BestOfOptions, candidates: number, maxTokens: number): readonly TokenStage[] {
    if (typeof prune !== "string") return tokenStages(prune, maxTokens);
    const measured = prune === "auto" ? engine.models.find(({ id }) => id === rewardModel)?.reward?.prefixes : undefined;
    const isOfUse = measured !== undefined && (measured.valueModel === undefined || valueModelOf(engine, rewardModel) !== undefined);
    return isOfUse ? this.#automatic.of(measured, candidates, returned) : [];
  }

  /** The engine's events, with the times between tokens measured. */
  #observed(generating: Generating, model: string): Generating {
    const metrics = this.#metrics;
    async function* events(): AsyncGenerator<GenerateEvent, void, undefined> {
      for await (const { event } of metrics.observe(tagged(generating), model)) yield event;
    }
    return { [Symbol.asyncIterator]: events, drop: (indexes) => generating.drop(indexes) };
  }

  async *#counted(events: AsyncIterable<BestOfEvent>, model: string): AsyncGenerator<BestOfEvent, void, undefined> {
    for await (const event of events) {
      if (event.type === "chosen") this.#metrics.bestOf.chosen(model, event.report);
      yield event;
    }
  }
}

/** The value model that a reward model names for its beginnings, where it is served. */
function valueModelOf(engine: Engine, rewardModel: string | undefined): string | undefined {
  const named = engine.models.find(({ id }) => id === rewardModel)?.reward?.prefixes?.valueModel;
  return engine.models.find(({ id, reward }) => id === named && reward?.form === "value")?.id;
}

/** Rewards by one model of answers to one conversation. */
function scoringOf(engine: Engine, id: string, conversation: readonly Message[]): RewardAnswers {
  const rewardModel = findRewardModel(engine, id);
  return async (answers, signal) => {
    const inputs = answers.map((content) => ({ messages: [...conversation, { role: "assistant", content }], param: "messages" }));
    // The end of a long answer counts more than the beginning of its prompt.
    const scores = await rewardModel.score(inputs, { truncate: true, signal });
    return scores.map(({ reward }) => reward);
  };
}

async function* tagged(events: AsyncIterable<GenerateEvent>): AsyncGenerator<{ prompt: number; event: GenerateEvent }, void, undefined> {
  for await (const event of events) yield { prompt: 0, event };
}

const invalid = (option: string, message: string): BonsaiError =>
  new BonsaiError("invalid_request", message, { param: `best_of_options.${option}` });

/** Candidates, and the rewards that came with them. */
interface ReadCandidates {
  generate: Engine["generate"];
  /** Of answers that the policy ended itself, by their texts. */
  rewards: ReadonlyMap<string, number>;
}

/** A reward model over the policy's own states reads along while it decodes, at no cost; any other is asked. */
function readingAlong(engine: Engine, policy: ModelInfo, { rewardModel }: BestOfOptions, { prompt }: GenerateRequest): ReadCandidates {
  const rewards = new Map<string, number>();
  const head = engine.models.find(({ id, base, reward }) => id === rewardModel && base === policy.id && reward?.form === "policy-head");
  const reward = head?.reward;
  if (head === undefined || reward === undefined || prompt.kind !== "messages")
    return { generate: (request, signal) => engine.generate(request, signal), rewards };
  async function* reading(generating: Generating): AsyncGenerator<GenerateEvent, void, undefined> {
    const texts = new Map<number, string>();
    for await (const event of generating) {
      if (event.type === "delta") texts.set(event.index, (texts.get(event.index) ?? "") + event.text);
      else if (event.type === "finish" && event.outputs !== undefined) {
        const text = texts.get(event.index) ?? "";
        rewards.set(text, normalized(reward!, event.outputs, text).reward);
      }
      yield event;
    }
  }
  return {
    generate: (request, signal) => {
      const generating = engine.generate({ ...request, head: head.id }, signal);
      const events = reading(generating);
      return { [Symbol.asyncIterator]: () => events, drop: (indexes) => generating.drop(indexes) };
    },
    rewards,
  };
}

/** Errors about a model that an option names are about the option. */
function naming(option: string, find: () => unknown): void {
  try {
    find();
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    throw new BonsaiError(error.code, error.message, { param: `best_of_options.${option}`, cause: error });
  }
}

/** What reward models and judges read before an answer. Throws `invalid_request` for a prompt of token ids where one of them is needed. */
function conversationOf({ prompt }: GenerateRequest, { rewardModel, judgeModel }: BestOfOptions): readonly Message[] {
  if (prompt.kind === "messages") return prompt.messages;
  if (prompt.kind === "text") return [{ role: "user", content: prompt.text }];
  if (rewardModel === undefined && judgeModel === undefined) return [];
  throw new BonsaiError(
    "invalid_request",
    "A reward model reads texts: send the prompt as text, or take the strategy logprob, majority or mbr.",
    {
      param: "prompt",
    },
  );
}
