/** @file The ways to answer among which an operator can choose: models, numbers of candidates, pruned or not. */

import type { PruneStage } from "../src/best-of-n/pruning/schedule.ts";
import type { Message } from "../src/text/conversation/message.ts";

/** A policy, and how it answers. */
export interface MeasuredModel {
  id: string;
  /** Its name in figures. */
  title: string;
  /** The model that chooses among its answers. */
  rewardModel: string;
  /** The value model that judges prefixes, where the reward model names one. */
  valueModel?: string;
  /** Most tokens of an answer. */
  maxTokens: number;
  /** The pruning of its pruned answers. */
  prune: "auto" | readonly PruneStage[];
}

/** Half of the candidates that still run is dropped after each of these numbers of tokens. */
const halvingTokens = [8, 24] as const;

/** The stages of that pruning as requests give them, for answers of at most `maxTokens` tokens. */
export function halving(maxTokens: number): PruneStage[] {
  return halvingTokens.map((tokens) => ({ at: tokens / maxTokens, keep: 0.5 }));
}

/** What that pruning does, as a part of a sentence. */
export const halvingWords = `half of the candidates that still run are dropped after ${halvingTokens[0]} tokens and again after ${halvingTokens[1]}`;

/** What `"prune": "auto"` does, as a part of a sentence. */
export const automaticWords = 'as `"prune": "auto"` does it by the value model that the reward model names';

/** Nearly all answers end before `maxTokens`. */
const teddy = { rewardModel: "teddy-rm", valueModel: "teddy-value", maxTokens: 160, prune: "auto" as const };

/** In the order of the tables. Models that are not in models/ are left out. */
export const teddyModels: readonly MeasuredModel[] = [
  { id: "teddy-sft", title: "SFT", ...teddy },
  { id: "teddy-dpo", title: "DPO", ...teddy },
];

/** With so few tokens, sixteen candidates take a few seconds, and the reward model reads question and answer whole. */
const smolLM2 = { rewardModel: "minilm-rm-polite", maxTokens: 64, prune: halving(64) };

/** Models of general text, the untuned one first: win rates are against it. */
export const smolLM2Models: readonly MeasuredModel[] = [
  { id: "smollm2-135m-instruct", title: "SmolLM2", ...smolLM2 },
  { id: "smollm2-135m-dpo", title: "SmolLM2 DPO", ...smolLM2 },
];

/** Reward models that judge together. */
export interface Ensemble {
  id: string;
  /** Its name in figures. */
  title: string;
  /** Names of its reward models, which judge teddy answers. */
  members: readonly string[];
  /** Its rule as --reward-ensemble takes it. */
  rule: string;
}

const members = ["teddy-rm", "teddy-sft-head"];

/** An ensemble is left out where a member is not in models/. */
export const measuredEnsembles: readonly Ensemble[] = [
  { id: "together", title: "mean", members, rule: "mean" },
  // With two members, the rule "mean less one deviation" gives the minimum as well.
  { id: "least", title: "minimum", members, rule: "minimum" },
];

/** Win rates are against one answer of this policy. */
export const baselineModel = "teddy-sft";

export const candidateCounts = [1, 2, 4, 8, 16, 32] as const;

const temperature = 1;

export interface Variant {
  /** The name of its results, such as "teddy-sft-bo8-pruned". */
  id: string;
  model: MeasuredModel;
  /** N. */
  bestOf: number;
  pruned: boolean;
}

/** Every variant of a model: one answer, and each number of candidates, unpruned and pruned. */
export function variantsOf(model: MeasuredModel, counts: readonly number[] = candidateCounts): Variant[] {
  return counts.flatMap((bestOf) => (bestOf === 1 ? [false] : [false, true]).map((pruned) => variant(model, bestOf, pruned)));
}

export function variant(model: MeasuredModel, bestOf: number, pruned = false): Variant {
  return { id: `${model.id}-bo${bestOf}${pruned ? "-pruned" : ""}`, model, bestOf, pruned };
}

/** "SFT, best of 8, pruned". */
export function variantTitle({ model, bestOf, pruned }: Pick<Variant, "model" | "bestOf" | "pruned">): string {
  return `${model.title}, ${bestOf === 1 ? "one answer" : `best of ${bestOf}`}${pruned ? ", pruned" : ""}`;
}

/** Names of all models that answer and judge. */
export function partsOf({ id, rewardModel, valueModel }: MeasuredModel): string[] {
  return [id, rewardModel, ...(valueModel === undefined ? [] : [valueModel])];
}

/** Flags of a server that has models with their reward models. */
export function servingFlags(models: readonly MeasuredModel[]): string[] {
  const names = [...new Set(models.flatMap(partsOf))];
  return names.flatMap((name) => ["--model", name]);
}

/** The body of POST /v1/chat/completions that answers a prompt in a variant's way. */
export function chatBody(
  { model, bestOf, pruned }: Variant,
  messages: readonly Message[],
  seed: number,
  extra: { stream?: boolean; returnCandidates?: boolean } = {},
): Record<string, unknown> {
  const options = {
    reward_model: model.rewardModel,
    ...(pruned ? { prune: model.prune } : {}),
    ...(extra.returnCandidates === true ? { return_candidates: true } : {}),
    ...(extra.stream === true ? { stream: "winner" } : {}),
  };
  return {
    model: model.id,
    messages,
    seed,
    temperature,
    max_tokens: model.maxTokens,
    ...(bestOf === 1 ? {} : { best_of: bestOf, best_of_options: options }),
    ...(extra.stream === true ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
}
