/**
 * @file Best-of-N for the routes: the reward model and the strategy of a request, and the models that sample, score and
 * compare its candidates.
 */

import type { BestOfOptions } from "../../best-of-n/options.ts";
import { AutomaticSchedules } from "../../best-of-n/pruning/automatic-schedule.ts";
import { tokenStages, type TokenStage } from "../../best-of-n/pruning/schedule.ts";
import { ScoringPace, type RewardAnswers, type RewardSource } from "../../best-of-n/reward-requests.ts";
import { bestOfN, type BestOfResources } from "../../best-of-n/run.ts";
import type { Config } from "../../config/options.ts";
import type { Engine, GenerateRequest, ModelInfo } from "../../engine/contract/request.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { checkStrategy, parseBestOfAlias, type BestOfRequest } from "../../protocol/mapping/best-of-request.ts";
import { judgeByLanguageModel } from "../../judges/language-model.ts";
import { normalized } from "../../reward/normalization.ts";
import { answersTo } from "../../reward/reward-model.ts";
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
 * The policy of that name, which may end in ":bo8" for the best of 8, for clients that cannot send more fields. A model
 * that is served under such a name is itself.
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

/** Best-of-N in one server: keeps the measured pace of its reward models and its pruning schedules. */
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
   * What runs the prompts of a request.
   * @param usual the strategy where neither the request nor a reward model decides: OpenAI's in /v1/completions, none
   * in chat
   * @throws BonsaiError `invalid_request` or `model_not_found` naming an option
   */
  runner(engine: Engine, model: ModelInfo, bestOf: BestOfRequest, usual: "logprob" | undefined): RunRequest {
    const options = this.#resolve(engine, model, bestOf, usual);
    return (request, signal) => bestOfN(request, options, this.#resources(engine, model, options, request), signal);
  }

  /** Fills in the reward model and the strategy, and checks that they fit together. */
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
    const canDrop = engine.models.find(({ id }) => id === policy.id)?.capabilities.drop === true;
    if (!canDrop) {
      const cannotDrop = `The backend of ${policy.id} cannot drop candidates before their end`;
      if (typeof options.prune !== "string") throw invalid("prune", `${cannotDrop}: send prune: "off" or "auto".`);
      if (options.targetReward !== undefined) throw invalid("target_reward", `${cannotDrop}: leave target_reward out.`);
      if (options.sampleCost !== undefined) throw invalid("sample_cost", `${cannotDrop}: leave sample_cost out.`);
    }
    return { ...options, strategy, rewardModel, prune: canDrop ? options.prune : "off" };
  }

  /**
   * The reward model that the policy names, else one over its own states, else the server's default, else the only one.
   */
  #usualRewardModel(engine: Engine, policy: ModelInfo): string | undefined {
    const served = engine.models.filter(({ kind, reward }) => kind === "reward" && reward?.form !== "value");
    const own =
      served.find(({ id }) => id === policy.rewardModel) ??
      served.find(({ base, reward }) => base === policy.id && reward?.form === "policy-head");
    const { rewardModel } = this.#config;
    return own?.id ?? (rewardModel === "" ? (served.length === 1 ? served[0]!.id : undefined) : rewardModel);
  }

  #resources(engine: Engine, policy: ModelInfo, options: BestOfOptions, request: GenerateRequest): BestOfResources {
    const conversation = conversationOf(request, options);
    const head = policyHead(engine, policy, options, request);
    const { rewardModel } = options;
    const reward = rewardModel === undefined ? undefined : this.#rewardSource(engine, rewardModel, conversation, head);
    return {
      generate: (candidates, signal) => engine.generate({ ...candidates, head: head?.id }, signal),
      reward,
      compare: judgeOf(engine, options, conversation, request.seed),
      stagesOf: (promptTokens) => {
        const maxTokens = Math.min(request.maxTokens ?? this.#config.defaultMaxTokens, policy.contextLength - promptTokens);
        return this.#stages(engine, options, request.n, maxTokens);
      },
      observe: this.#metrics.observer(policy.id),
    };
  }

  #rewardSource(engine: Engine, id: string, conversation: readonly Message[], head: ModelInfo | undefined): RewardSource {
    let pace = this.#paces.get(id);
    if (pace === undefined) this.#paces.set(id, (pace = new ScoringPace()));
    const valueModel = valueModelOf(engine, id);
    return {
      pace,
      answers: rewardsBy(engine, id, conversation),
      prefixes: valueModel === undefined ? undefined : rewardsBy(engine, valueModel, conversation),
      ofOutputs: head?.reward && ((outputs, answer) => normalized(head.reward!, outputs, answer).reward),
    };
  }

  /**
   * `auto` prunes nothing where it was not measured how well the reward of a prefix predicts that of the whole answer.
   */
  #stages(
    engine: Engine,
    { prune, rewardModel, returned }: BestOfOptions,
    candidates: number,
    maxTokens: number,
  ): readonly TokenStage[] | Promise<readonly TokenStage[]> {
    if (typeof prune !== "string") return tokenStages(prune, maxTokens);
    const measured = prune === "auto" ? engine.models.find(({ id }) => id === rewardModel)?.reward?.prefixes : undefined;
    const isOfUse = measured !== undefined && (measured.valueModel === undefined || valueModelOf(engine, rewardModel) !== undefined);
    return isOfUse ? this.#automatic.of(measured, candidates, returned) : [];
  }
}

/** The value model that a reward model names for prefixes, where it is served. */
function valueModelOf(engine: Engine, rewardModel: string | undefined): string | undefined {
  const named = engine.models.find(({ id }) => id === rewardModel)?.reward?.prefixes?.valueModel;
  return engine.models.find(({ id, reward }) => id === named && reward?.form === "value")?.id;
}

/** The rewards that a model gives to answers in one conversation. */
function rewardsBy(engine: Engine, id: string, conversation: readonly Message[]): RewardAnswers {
  const rewardModel = findRewardModel(engine, id);
  return async (answers, signal) => {
    // The end of a long answer counts more than the beginning of its prompt.
    const scores = await rewardModel.score(answersTo(conversation, answers), { truncate: true, signal });
    return scores.map(({ reward }) => reward);
  };
}

/** The comparison of two answers by the judge model of a request; undefined where it names none. */
function judgeOf(engine: Engine, { judgeModel }: BestOfOptions, prompt: readonly Message[], seed: number): BestOfResources["compare"] {
  if (judgeModel === undefined) return undefined;
  const model = engineTextModel(engine, judgeModel);
  return async (first, second, signal) => {
    const judge = judgeByLanguageModel(judgeModel, { model, seed, signal });
    const judged = { prompt, answers: [first, second], references: [], origins: [], index: 0 };
    return (await judge.compare(judged, 0, 1)).preference;
  };
}

const invalid = (option: string, message: string): BonsaiError =>
  new BonsaiError("invalid_request", message, { param: `best_of_options.${option}` });

/**
 * The reward model of a request where it is a head over the hidden states of the policy: it scores while the policy
 * decodes, at no cost.
 */
function policyHead(engine: Engine, policy: ModelInfo, { rewardModel }: BestOfOptions, { prompt }: GenerateRequest): ModelInfo | undefined {
  if (prompt.kind !== "messages") return undefined;
  return engine.models.find(({ id, base, reward }) => id === rewardModel && base === policy.id && reward?.form === "policy-head");
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

/**
 * The conversation that reward models and judges read before an answer.
 * @throws BonsaiError `invalid_request` for a prompt of token ids where one of them is needed
 */
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
