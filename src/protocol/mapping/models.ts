/** @file From the descriptions of served models to the answers of GET /v1/models and /v1/models/{id}. */

import type { Capabilities, ServedModel } from "../../engine/contract/request.ts";
import type { EnsembleDescription, RewardDescription } from "../../engine/contract/reward-description.ts";
import type { Model, ModelList } from "../wire/models.ts";

const toCapabilities = ({ exactSeeds, exactCounts, tokenIds, drop }: Capabilities): Model["card"]["capabilities"] => ({
  exact_seeds: exactSeeds,
  exact_counts: exactCounts,
  token_ids: tokenIds,
  drop,
});

export const toModel = (info: ServedModel): Model => ({
  id: info.id,
  object: "model",
  created: info.created,
  owned_by: "bonsai",
  kind: info.kind,
  base: info.base ?? null,
  card: {
    context_length: info.contextLength,
    vocab_size: info.vocabSize,
    quantization: info.quantization,
    device: info.device,
    has_chat_template: info.hasChatTemplate,
    fingerprint: info.fingerprint,
    capabilities: toCapabilities(info.capabilities),
    ...(info.rewardModel === undefined ? {} : { reward_model: info.rewardModel }),
    ...(info.reward === undefined ? {} : { reward: toRewardCard(info.reward) }),
    ...(info.ensemble === undefined ? {} : { ensemble: toEnsembleCard(info.ensemble) }),
  },
});

function toRewardCard(reward: RewardDescription): NonNullable<Model["card"]["reward"]> {
  const { form, dimensions, weights, normalization, lengthPenalty } = reward;
  return {
    form,
    dimensions: [...dimensions],
    weights: [...weights],
    ...(lengthPenalty === undefined ? {} : { length_penalty: lengthPenalty.perHundred }),
    reference: normalization.reference,
  };
}

export const toModelList = (models: readonly ServedModel[]): ModelList => ({ object: "list", data: models.map(toModel) });

function toEnsembleCard({ members, rule }: EnsembleDescription): NonNullable<Model["card"]["ensemble"]> {
  const { kind, ...parameters } = rule;
  return { members: [...members], rule: kind, ...parameters };
}
