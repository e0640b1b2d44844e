/** @file The chapter of SmolLM2 and its adapter, whose answers have no true score. */

import type { RewardedWay } from "../quality/measured-points.ts";
import type { LoadSummary } from "../load-summary.ts";
import { halvingWords } from "../variants.ts";
import type { Chapter } from "./chapter.ts";
import { choiceFigure } from "./choice-figure.ts";
import { failures } from "./load-chapter.ts";
import { agreementCheck, waysTable, type Quality } from "./ways-table.ts";

export interface SmolLM2Facts {
  ways: readonly RewardedWay[];
  loads: readonly LoadSummary[];
  /** The policy whose single answers the win rate is over. */
  baseline: string;
  maxTokens: number;
  /** Prompts whose candidates were all scored, and those with pruned answers. */
  prompts: number;
  prunedPrompts: number;
  candidates: number;
  /** Share of timed answers that are the scored choice. */
  agreement: number;
}

const reward: Quality<RewardedWay> = { column: "learned reward", axis: "learned reward", of: (way) => way.reward };

export async function smolLM2Chapter(facts: SmolLM2Facts): Promise<Chapter> {
  const { ways, loads, baseline, maxTokens, prompts, prunedPrompts, candidates, agreement } = facts;
  const models = [...new Set(ways.map(({ model }) => model))];
  const judges = [...new Set(ways.map(({ rewardModel }) => rewardModel))];
  return {
    name: "smollm2",
    title: "SmolLM2 and its adapter",
    about: [
      `${models.join(" and ")} on ${prompts} questions of the Vicuna set, at temperature 1, at most ${maxTokens} tokens. **The quality here is no gold score: it is the learned reward of ${judges.join(", ")}, the very model that chooses.** It knows the tone of an answer and nothing of`,
      `whether it is right, and it taught the adapter, too: the numbers say how well choosing and tuning please it, not how good the answers are. The win rate is by the same reward over one answer of ${baseline} (a tie counts a half).`,
      `95% intervals over prompts. The unpruned ones are expectations over all choices of N among ${candidates} candidates of each prompt; pruned ones, where ${halvingWords}, add the mean difference to them on the first ${prunedPrompts}. An answer of no words counts 0.`,
      "Times are those of one client alone, from sending to the last byte. Tokens count all candidates.",
    ].join("\n"),
    tables: [waysTable(ways, reward)],
    checks: [agreementCheck(agreement), failures(loads)],
    figures: [
      {
        file: "smollm2.svg",
        caption: "Learned reward against latency and against tokens, by number of candidates",
        svg: await choiceFigure(ways, reward),
      },
    ],
    raw: { ways },
  };
}
