/**
 * @file The report on prefixes: how well their rewards predict those of whole answers, and what pruning by them saves
 * and costs in a replay.
 */

import type { PrefixMeasurement } from "../../engine/contract/reward-description.ts";
import { automaticSchedule, sampledShare } from "../../best-of-n/pruning/automatic-schedule.ts";
import { replay, type RecordedAnswer, type RecordedRewards } from "../../best-of-n/pruning/replay.ts";
import type { TokenStage } from "../../best-of-n/pruning/schedule.ts";
import { meanOf } from "../../statistics/moments.ts";

/** The candidates of one prompt. */
export interface RecordedGroup extends RecordedRewards {
  answers: readonly RecordedAnswer[];
  /** What a judge that knows says of each whole answer; undefined where there is none. */
  truth: readonly number[] | undefined;
}

export interface PrunedRow {
  candidates: number;
  stages: readonly TokenStage[];
  /** Tokens sampled, as a part of those without pruning. */
  tokens: number;
  /** The part that is kept of the gain of the best candidate over the mean one. */
  reward: number;
  truth: number | undefined;
}

/** What the automatic schedule does to the first N candidates of each prompt. */
export function prunedRows(groups: readonly RecordedGroup[], measured: PrefixMeasurement, sizes: readonly number[]): PrunedRow[] {
  return sizes.map((candidates) => prunedRow(groups, candidates, automaticSchedule(measured, candidates, 1)));
}

/** The same for a given schedule. */
export function prunedRow(groups: readonly RecordedGroup[], candidates: number, stages: readonly TokenStage[]): PrunedRow {
  const gain = { reward: [0, 0], truth: [0, 0] };
  const tokens = [0, 0];
  let hasTruth = true;
  for (const recorded of groups) {
    const { answers, rewards, truth } = recorded;
    const group = answers.slice(0, candidates);
    const finals = group.map(({ pieces }) => rewards.get(pieces.join("")));
    const known = finals.filter((reward) => reward !== undefined);
    if (known.length === 0) continue;
    const meanReward = meanOf(known);
    hasTruth &&= truth !== undefined;
    const meanTruth = truth === undefined ? 0 : meanOf(truth.slice(0, candidates));
    for (const [at, plan] of [[], stages].entries()) {
      const played = replay(group, plan, recorded);
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
    `How well ${measured.valueModel === undefined ? "the reward" : `the value by ${measured.valueModel}`} of a prefix predicts the reward of the whole answer, among answers to one prompt (Pearson's correlation, over answers that are longer than the prefix): ${measured.reference}. Whole answers have ${measured.meanTokens.toFixed(1)} tokens on average.`,
    "",
    ...correlationTable(measured),
    "",
    'The stages that `prune: "auto"` derives from it, replayed over the same answers. A stage, such as 4: 0.625, keeps this part of the running candidates after this many tokens. Gains are those of the winner over the mean candidate.',
    "",
    "| N | stages | tokens sampled | gain in reward kept | gain by gold kept |",
    "| ---: | --- | ---: | ---: | ---: |",
    ...rows.map(
      ({ candidates, stages, tokens, reward, truth }) =>
        `| ${candidates} | ${stagesText(stages)} | ${percent(tokens)} | ${percent(reward)} | ${truth === undefined ? "" : percent(truth)} |`,
    ),
  ];
}

/**
 * The correlations of a perfect model of prefixes and the schedules that they would allow: a bound for every reward
 * model.
 *
 * @param continuations how many other answers of each prefix the estimate used
 */
export function perfectReport(perfect: PrefixMeasurement, sizes: readonly number[], continuations: number): string[] {
  return [
    `The best that any model of prefixes could do: the correlation between the mean reward of all answers with a prefix and the reward of the answer at hand, estimated from ${continuations} more continuations of each prefix.`,
    "",
    ...correlationTable(perfect),
    "",
    "Schedules that such a model would allow, and the tokens that they would sample of answers of the mean length.",
    "",
    "| N | stages | tokens sampled |",
    "| ---: | --- | ---: |",
    ...sizes.map((candidates) => {
      const stages = automaticSchedule(perfect, candidates, 1);
      return `| ${candidates} | ${stagesText(stages)} | ${percent(sampledShare(stages, candidates, perfect.meanTokens))} |`;
    }),
  ];
}

function correlationTable({ correlations }: PrefixMeasurement): string[] {
  return [
    `| tokens of the prefix | ${correlations.map(({ tokens }) => tokens).join(" | ")} |`,
    `| --- |${correlations.map(() => " ---: |").join("")}`,
    `| correlation | ${correlations.map(({ correlation }) => correlation.toFixed(3)).join(" | ")} |`,
  ];
}

const stagesText = (stages: readonly TokenStage[]): string => stages.map((stage) => `${stage.tokens}: ${stage.keep}`).join(", ") || "none";

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
