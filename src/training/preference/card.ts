/** @file The record and the card of a policy that was tuned on preferences. */

import { baseName, countedClauses, modelCard } from "../report/model-card.ts";
import type { TrainingReport } from "../report/training-report.ts";

export interface PolicyReport extends TrainingReport {
  stage: "dpo";
  objective: { losses: readonly string[]; beta: number };
  data: TrainingReport["data"] & {
    pairs: number;
    /** Rows of tokens that the pairs lie in. */
    rows: number;
    /** Places of a row. */
    length: number;
    tooLongRows: number;
    identicalRows: number;
  };
}

/** README.md. @param name its title */
export function policyCard(name: string, report: PolicyReport): string {
  const { trains, objective, data } = report;
  const leftOut = countedClauses([
    [data.tooLongRows, `${data.tooLongRows} rows that are longer than allowed were left out`],
    [data.identicalRows, `${data.identicalRows} rows of equal answers were left out`],
  ]);
  return modelCard({
    name,
    report,
    pipelineTag: "text-generation",
    tag: "dpo",
    subject: `${trains === "a LoRA adapter" ? "An adapter" : "A model"} made by preference tuning of ${baseName(report)}`,
    details: [objective.losses.join(" + "), `beta ${objective.beta}`],
    columns: [
      ["accuracy", "rewards/accuracies"],
      ["margin", "rewards/margins"],
      ["reward of chosen", "rewards/chosen"],
      ["of rejected", "rewards/rejected"],
      ["KL", "kl_to_reference"],
      ["answer's tokens", "answer_length"],
    ],
    explanation:
      "Rewards are beta times the log-probability that the policy gives an answer above that of its reference, the model that it was made from; accuracy is the share of pairs whose chosen answer has the higher one. KL (nats an answer) and length are of answers that the policy itself wrote to a few held-out prompts.",
    data: `${data.pairs} ${objective.losses.includes("kto") ? "answers" : "pairs"} in ${data.rows} rows of ${data.length} tokens${leftOut}.`,
    files: [...data.files, ...data.evaluationFiles],
  });
}
