/** @file The options of the report on policies, as a schema. */

import { Type, type Static } from "typebox";
import { annotations, oneOf } from "../../config/option.ts";
import { defaultConfig, quantizations } from "../../config/options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { requireDistinctJudges } from "../../preferences/collect-options.ts";
import { judgeProperties } from "../../preferences/judge-options.ts";
import { readJudgeWord } from "../../preferences/judge-words.ts";
import { samplingOptions } from "../sampling-options.ts";

const annotate = annotations<"Evaluation" | "Sampling" | "Judges" | "Output">();

export const PolicyEvaluationSchema = Type.Object({
  model: Type.Array(
    Type.String({ minLength: 1 }),
    annotate({
      group: "Evaluation",
      metavar: "NAME|DIR",
      description: "Policy to evaluate; may be repeated, to compare",
      whenMissing: "Name what to evaluate: --model NAME or DIR.",
    }),
  ),
  prompts: Type.String(
    annotate({
      group: "Evaluation",
      metavar: "FILE",
      description:
        'JSON Lines of {"prompt": text or messages, "references"?: [...], "unsafe"?: true}; the last answer of a row of {"messages"} is its reference. Requests that should be turned down are known by "unsafe", or in the teddy world by what they ask',
      whenMissing: "Name the prompts: --prompts FILE.",
    }),
  ),
  limit: Type.Integer({
    minimum: 1,
    ...annotate({ group: "Evaluation", description: "Prompts that are taken from the file's beginning", default: 200 }),
  }),
  baseline: Type.Optional(
    Type.String(
      annotate({
        group: "Evaluation",
        metavar: "NAME|DIR",
        description:
          "What the models are compared with, answer by answer: win rates, also corrected for length, and the distance KL(model || baseline)",
      }),
    ),
  ),
  samples: Type.Integer({
    minimum: 1,
    maximum: defaultConfig().maxSequences,
    ...annotate({ group: "Sampling", description: "Answers to each prompt", default: 16 }),
  }),
  ...samplingOptions,
  quantization: oneOf(
    quantizations,
    annotate({ group: "Sampling", description: "Quantization of all models in this process", default: "fp32" }),
  ),
  judge: Type.Array(
    Type.String({ minLength: 1 }),
    annotate({
      group: "Judges",
      metavar: "JUDGE",
      description:
        "May be repeated. The judges are listed below; llm is asked for scores where there is no baseline, else about pairs in both orders",
      default: ["gold"],
    }),
  ),
  ...judgeProperties("Judges"),
  card: Type.Optional(
    Type.String(
      annotate({
        group: "Output",
        metavar: "FILE",
        description:
          'Model card whose section "Gold scores" (without that judge "Comparison") is written anew, with ten conversations of the first model',
      }),
    ),
  ),
  chart: Type.Optional(
    Type.String(annotate({ group: "Output", metavar: "FILE", description: "Where scores and win rates are drawn, as SVG" })),
  ),
});

export type PolicyEvaluationOptions = Static<typeof PolicyEvaluationSchema>;

/** @throws BonsaiError `usage` for a judge that is not known, is named twice, or can say nothing of samples. */
export function checkPolicyOptions({ judge: judges }: PolicyEvaluationOptions): void {
  requireDistinctJudges(judges);
  if (judges.some((name) => readJudgeWord(name).kind === "rewrite"))
    throw new BonsaiError("usage", "--judge rewrite: it compares rewrites with their originals, and a policy's answers are neither.", {
      param: "--judge",
    });
}
