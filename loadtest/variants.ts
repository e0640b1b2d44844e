/** @file The ways to answer that an operator can choose between, as data: models, numbers of candidates, pruned or not. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { PruneStage } from "../src/bestofn/schedule.ts";
import type { Message } from "../src/teddy/conversation.ts";

/** A policy, and the reward model that chooses among its answers. */
export interface MeasuredModel {
  id: string;
  /** As the figure names it. */
  title: string;
  rewardModel: string;
}

/** In the order of the tables. A line more is a model more; models that are not in models/ are passed over. */
export const measuredModels: readonly MeasuredModel[] = [
  { id: "teddy-sft", title: "SFT", rewardModel: "teddy-rm" },
  { id: "teddy-dpo", title: "DPO", rewardModel: "teddy-rm" },
];

/** Reward models that judge together. */
export interface Ensemble {
  id: string;
  /** As the figure names it. */
  title: string;
  /** Of teddy answers. */
  members: readonly string[];
  /** As --reward-ensemble takes it. */
  rule: string;
}

const members = ["teddy-rm", "teddy-sft-head"];

/** Passed over where a member is not in models/. */
export const measuredEnsembles: readonly Ensemble[] = [
  { id: "together", title: "mean", members, rule: "mean" },
  // Of two members the mean less their deviation is the lesser of them, too.
  { id: "least", title: "minimum", members, rule: "minimum" },
];

/** Win rates are against one answer of this policy. */
export const baselineModel = "teddy-sft";

export const candidateCounts = [1, 2, 4, 8, 16, 32] as const;

/** Half of what still runs is dropped at 5% and again at 15% of `longestAnswerTokens`: after 8 and after 24 tokens. */
export const stagedPruning: readonly PruneStage[] = [
  { at: 0.05, keep: 0.5 },
  { at: 0.15, keep: 0.5 },
];

/** Teddy answers end before it but for a few. */
export const longestAnswerTokens = 160;
const temperature = 1;

export interface Variant {
  /** Such as "teddy-sft-bo8-pruned": names its results too. */
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

export interface Presence {
  present: MeasuredModel[];
  ensembles: Ensemble[];
  /** A line for each model that is passed over. */
  absent: string[];
}

/** Which of the models lie in a folder of models, with the reward model that they need. */
export function presentModels(modelsFolder: string, models: readonly MeasuredModel[] = measuredModels): Presence {
  const lies = (id: string): boolean =>
    existsSync(join(modelsFolder, id, "config.json")) || existsSync(join(modelsFolder, id, "adapter_config.json"));
  const missing = ({ id, rewardModel }: MeasuredModel): string[] => [id, rewardModel].filter((name) => !lies(name));
  return {
    present: models.filter((model) => missing(model).length === 0),
    ensembles: measuredEnsembles.filter((ensemble) => ensemble.members.every(lies)),
    absent: models
      .filter((model) => missing(model).length > 0)
      .map(
        (model) =>
          `${model.id} is left out: ${missing(model)
            .map((name) => `models/${name}`)
            .join(" and ")} is not there.`,
      ),
  };
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
    ...(pruned ? { prune: stagedPruning } : {}),
    ...(extra.returnCandidates === true ? { return_candidates: true } : {}),
    ...(extra.stream === true ? { stream: "winner" } : {}),
  };
  return {
    model: model.id,
    messages,
    seed,
    temperature,
    max_tokens: longestAnswerTokens,
    ...(bestOf === 1 ? {} : { best_of: bestOf, best_of_options: options }),
    ...(extra.stream === true ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
}
