/** @file A reward model as a judge: its reward of the whole, and of each dimension where it has several. */

import { judgeByScore, type Judge } from "./judges.ts";
import { answersTo, type RewardModel } from "../reward/reward-model.ts";

export interface RewardJudgeOptions {
  /** In deviations of the model's reference set. */
  equalBelow?: number;
  signal?: AbortSignal | undefined;
}

/** Scores are normalised rewards. What is longer than the model reads is cut. */
export function judgeByRewardModel(name: string, model: RewardModel, { equalBelow = 0, signal }: RewardJudgeOptions = {}): Judge {
  // All answers to a prompt are scored together: they share its tokens.
  const rewards = new WeakMap<readonly string[], ReturnType<RewardModel["score"]>>();
  return judgeByScore(
    name,
    async ({ prompt, answers }, answer) => {
      let found = rewards.get(answers);
      if (found === undefined) {
        rewards.set(answers, (found = model.score(answersTo(prompt, answers), { truncate: true, signal })));
      }
      const { reward, dimensions } = (await found)[answer]!;
      if (model.dimensions.length < 2) return { score: reward };
      return { score: reward, dimensions: Object.fromEntries(dimensions.map((value, at) => [model.dimensions[at]!, value])) };
    },
    equalBelow,
  );
}
