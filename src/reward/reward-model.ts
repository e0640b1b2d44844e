/** @file The reward models that an engine serves, and what others need of them. */

import type { Engine, ModelInfo } from "../engine/contract/request.ts";
import type { ScoreInput } from "../engine/contract/score-request.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { Message } from "../text/conversation/message.ts";
import { ensembleOf } from "./ensemble.ts";
import { normalized } from "./normalization.ts";
import type { RewardModel } from "./rewarded-answer.ts";

export type { RewardedAnswer, RewardModel } from "./rewarded-answer.ts";

/** Texts as answers to one prompt. */
export function answersTo(prompt: readonly Message[], texts: readonly string[]): ScoreInput[] {
  return texts.map((content) => ({ prompt, answer: { role: "assistant", content }, param: "messages" }));
}

/** A reward model that the engine serves, or an ensemble of some. Throws `invalid_request` for a policy. */
export function servedRewardModel(engine: Engine, { id, reward, ensemble }: ModelInfo): RewardModel {
  if (ensemble !== undefined) {
    const members = engine.models.filter((info) => ensemble.members.includes(info.id));
    return ensembleOf(
      id,
      members.map((info) => servedRewardModel(engine, info)),
      ensemble.rule,
    );
  }
  if (reward === undefined) throw new BonsaiError("invalid_request", `The model ${id} writes answers and scores none.`, { param: "model" });
  return {
    name: id,
    dimensions: reward.dimensions,
    async score(inputs, { truncate, signal }) {
      const { scores } = await engine.score({ model: id, inputs, truncate }, signal);
      return scores.map(({ raw, ...read }, at) => ({ ...normalized(reward, raw, inputs[at]!.answer.content), ...read }));
    },
  };
}
