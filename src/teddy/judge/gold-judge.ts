/**
 * @file The gold judge of the teddy world as a judge: for measuring, never for the labels of a reward model that is to
 * be measured by it.
 */

import { judge } from "./judge.ts";
import { judgeByScore, type Judge } from "../../judges/judges.ts";
import { teddyDimensions } from "./rater-judges.ts";

/** Scores in [0, 1]. */
export function judgeByGold(equalBelow = 0): Judge {
  return judgeByScore(
    "gold",
    async ({ prompt, answers }, answer) => {
      const scores = judge(prompt, answers[answer]!);
      return { score: scores.score, dimensions: Object.fromEntries(teddyDimensions.map((dimension) => [dimension, scores[dimension]])) };
    },
    equalBelow,
  );
}
