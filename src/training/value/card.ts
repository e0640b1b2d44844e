/** @file The record and the card of a trained value model. */

import type { RewardDescription } from "../../engine/contract/reward-description.ts";
import { baseName, countedClauses, modelCard } from "../report/model-card.ts";
import type { TrainingReport } from "../report/training-report.ts";

export interface ValueReport extends TrainingReport {
  stage: "reward";
  reward: RewardDescription;
  data: TrainingReport["data"] & {
    answers: number;
    /** Rows of tokens that the answers lie in. */
    rows: number;
    /** Places of a row. */
    length: number;
    truncatedAnswers: number;
    truncatedTokens: number;
    emptyRows: number;
  };
}

/** README.md. @param name its title */
export function valueCard(name: string, report: ValueReport): string {
  const { reward, data } = report;
  const { truncatedAnswers, truncatedTokens, emptyRows } = data;
  const leftOut = countedClauses([
    [truncatedAnswers, `${truncatedAnswers} lost ${truncatedTokens} tokens to the longest length allowed`],
    [emptyRows, `${emptyRows} rows without any token of an answer were left out`],
  ]);
  return modelCard({
    name,
    report,
    pipelineTag: "text-classification",
    tag: "value-model",
    subject: `A value model made from ${baseName(report)}`,
    remarks: ` At any token of an answer it says what the whole is expected to be worth; it reads answers without the end of their turn, and at most ${reward.maxLength} tokens.`,
    lossColumn: "mean squared error",
    columns: [["explained variance", "explained_variance"]],
    explanation: "Over the tokens of answers, so that long ones count more; nobody can know from a prefix how its answer will go on.",
    data: `${data.answers} scored answers${leftOut}.`,
    files: [...data.files, ...data.evaluationFiles],
  });
}
