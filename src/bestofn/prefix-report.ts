/** @file What a reward model's judgement of beginnings is worth, and what pruning by it saves and costs: measured by replaying recorded candidates. */

import type { PrefixMeasurement } from "../engine/reward-description.ts";
import { AutomaticSchedules } from "./automatic-schedules.ts";
import { replay, type RecordedAnswer } from "./replay.ts";
import type { TokenStage } from "./schedule.ts";

/** The candidates of one prompt. */
export interface RecordedGroup {
  answers: readonly RecordedAnswer[];
  /** Rewards of all texts that a contest over them may ask for. */
  rewards: ReadonlyMap<string, number | undefined>;
  /** What a judge that knows says of each whole answer; undefined where there is none. */
  truth: readonly number[] | undefined;
}

export interface PrunedRow {
  candidates: number;
  stages: readonly TokenStage[];
  /** Tokens sampled, as a part of those without pruning. */
  tokens: number;
  /** Of the gain of the best over the mean candidate, the part that is kept. */
  reward: number;
  truth: number | undefined;
}

/** What the automatic schedule does to the first N candidates of each prompt. */
export function prunedRows(groups: readonly RecordedGroup[], measured: PrefixMeasurement, sizes: readonly number[]): PrunedRow[] {
  const schedules = new AutomaticSchedules();
  return sizes.map((candidates) => prunedRow(groups, candidates, schedules.of(measured, candidates, 1)));
}

/** The same for a given schedule. */
export function prunedRow(groups: readonly RecordedGroup[], candidates: number, stages: readonly TokenStage[]): PrunedRow {
  const gain = { reward: [0, 0], truth: [0, 0] };
  const tokens = [0, 0];
  let hasTruth = true;
  for (const { answers, rewards, truth } of groups) {
    const group = answers.slice(0, candidates);
    const rewardOf = (text: string): number | undefined => rewards.get(text);
    const finals = group.map(({ pieces }) => rewardOf(pieces.join("")));
    const known = finals.filter((reward) => reward !== undefined);
    if (known.length === 0) continue;
    const meanReward = known.reduce((sum, reward) => sum + reward, 0) / known.length;
    hasTruth &&= truth !== undefined;
    const meanTruth = truth === undefined ? 0 : truth.slice(0, candidates).reduce((sum, value) => sum + value, 0) / group.length;
    for (const [at, plan] of [[], stages].entries()) {
      const played = replay(group, plan, rewardOf);
      tokens[at]! += played.tokens;
      if (played.winner === undefined) continue;
      gain.reward[at]! += finals[played.winner]! - meanReward;
      if (truth !== undefined) gain.truth[at]! += truth[played.winner]! - meanTruth;
    }
  }
  return {
    candidates,
    stages,
    tokens: tokens[1]! / tokens[0]!,
    reward: gain.reward[1]! / gain.reward[0]!,
    truth: hasTruth ? gain.truth[1]! / gain.truth[0]! : undefined,
  };
}

/** Lines of Markdown. */
export function prefixReport(measured: PrefixMeasurement, rows: readonly PrunedRow[]): string[] {
  return [
    `How well the reward of an answer's beginning tells that of the whole, among answers to one prompt (Pearson's correlation, over answers that go on): ${measured.reference}. Whole answers have ${measured.meanTokens.toFixed(1)} tokens on average.`,
    "",
    `| tokens of the beginning | ${measured.correlations.map(({ tokens }) => tokens).join(" | ")} |`,
    `| --- |${measured.correlations.map(() => " ---: |").join("")}`,
    `| correlation | ${measured.correlations.map(({ correlation }) => correlation.toFixed(3)).join(" | ")} |`,
    "",
    'What `prune: "auto"` makes of it, replayed over the same answers: at each stage, so many tokens into the answers, a part of those that still run goes on. Gains are those of the winner over the mean candidate.',
    "",
    "| N | stages | tokens sampled | gain in reward kept | gain by gold kept |",
    "| ---: | --- | ---: | ---: | ---: |",
    ...rows.map(
      ({ candidates, stages, tokens, reward, truth }) =>
        `| ${candidates} | ${stages.map((stage) => `${stage.tokens}: ${stage.keep}`).join(", ") || "none"} | ${percent(tokens)} | ${percent(reward)} | ${truth === undefined ? "" : percent(truth)} |`,
    ),
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
