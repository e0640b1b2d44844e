/** @file The reward models of the server, by the names that requests give them. */

import type { Engine } from "../../engine/contract/request.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { servedRewardModel, type RewardModel } from "../../reward/reward-model.ts";
import { findModel } from "./generation.ts";

/**
 * The reward model of that name.
 * @throws BonsaiError `model_not_found`, or `invalid_request` for a model that scores no answers.
 */
export function findRewardModel(engine: Engine, id: string): RewardModel {
  const model = findModel(engine, id);
  if (model.kind !== "reward") {
    throw new BonsaiError("invalid_request", `The model ${id} writes answers and scores none; GET /v1/models lists those of kind reward.`, {
      param: "model",
    });
  }
  return servedRewardModel(engine, model);
}
