/** @file The record and the card of a pre-trained or fine-tuned language model. */

import { baseName, countedClauses, modelCard } from "../report/model-card.ts";
import type { TrainingReport } from "../report/training-report.ts";

export interface LanguageReport extends TrainingReport {
  stage: "pretrain" | "sft";
  data: TrainingReport["data"] & {
    documents: number;
    rows: number;
    /** Places of a row. */
    length: number;
    truncatedRows: number;
    truncatedTokens: number;
    droppedRows: number;
  };
}

const stageNames = { pretrain: "pre-training", sft: "supervised fine-tuning" };

/** README.md. @param name its title */
export function languageCard(name: string, report: LanguageReport): string {
  const { stage, base, trains, data } = report;
  const cut = countedClauses([
    [data.truncatedRows, `${data.truncatedRows} were cut at their end (${data.truncatedTokens} tokens)`],
    [data.droppedRows, `${data.droppedRows} were left out, since nothing to train on was left of them`],
  ]).replace("; ", "; of the rows of the files ");
  return modelCard({
    name,
    report,
    pipelineTag: "text-generation",
    tag: stage,
    subject: `${trains === "a LoRA adapter" ? "An adapter" : "A model"} made by ${stageNames[stage]} ${base.isFromNothing ? "from nothing" : `of ${baseName(report)}`}`,
    columns: [["token accuracy", "mean_token_accuracy"]],
    data: `${data.documents} documents in ${data.rows} rows of ${data.length} tokens${cut}.`,
    files: [...data.files, ...data.evaluationFiles],
  });
}
