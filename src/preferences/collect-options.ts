/**
 * @file The options of a collection, as a schema: where answers come from, who judges them, and which rows are written.
 */

import { Type, type Static } from "typebox";
import { annotations, oneOf } from "../config/option.ts";
import { defaultConfig, quantizations } from "../config/options.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { mostAnswers } from "../judges/judges.ts";
import { rewriteInstruction } from "./candidates.ts";
import { judgedForms } from "./collection.ts";
import type { ModelPlace } from "./judge-models.ts";
import { addressOption, judgeProperties } from "./judge-options.ts";
import type { PairSelection } from "./pair-selection.ts";
import { scales, tieRules } from "./preference-writing.ts";

const annotate = annotations<"Prompts and output" | "Answers" | "Judges" | "Labels" | "Selection of pairs">();

export const CollectSchema = Type.Object({
  prompts: Type.String(
    annotate({
      group: "Prompts and output",
      metavar: "FILE",
      description:
        'JSON Lines of {"prompt": text or messages}; may hold answers too ("completions": [...], or "chosen" and "rejected") and "references": [...]. The last answer of a row of {"messages"} is its reference',
      whenMissing: "--prompts is missing: name a file.",
    }),
  ),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      ...annotate({
        group: "Prompts and output",
        description: "Prompts that are taken from the file's beginning; a larger number later goes on",
        defaultText: "all",
      }),
    }),
  ),
  outputDir: Type.String(
    annotate({
      group: "Prompts and output",
      metavar: "DIR",
      description: "Gets preferences.jsonl (rows in TRL's format), report.md, and journal.jsonl with every answer and verdict",
      whenMissing: "--output-dir is missing: name a folder.",
    }),
  ),
  resume: Type.Boolean(
    annotate({
      group: "Prompts and output",
      description: "Go on with a collection that was interrupted, or write it anew by other labels or another selection",
      default: false,
    }),
  ),
  seed: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    ...annotate({ group: "Prompts and output", description: "Seed of samples, raters and noise", default: 0 }),
  }),
  model: Type.Optional(Type.String(annotate({ group: "Answers", metavar: "NAME|DIR", description: "The policy, in this process" }))),
  baseUrl: Type.Optional(
    addressOption(
      annotate({
        group: "Answers",
        description: "Where the policy is served as --model (OpenAI protocol); a key is taken from OPENAI_API_KEY",
        defaultText: "in this process",
      }),
    ),
  ),
  samples: Type.Integer({
    minimum: 0,
    maximum: mostAnswers / 4,
    ...annotate({ group: "Answers", description: "Answers to each prompt; 0 judges the given answers alone", default: 4 }),
  }),
  temperature: Type.Number({
    minimum: 0,
    maximum: 100,
    ...annotate({ group: "Answers", metavar: "T", description: "Temperature of the samples", default: 1 }),
  }),
  maxTokens: Type.Integer({
    minimum: 1,
    ...annotate({ group: "Answers", unit: "tokens", description: "Longest answer", default: 160 }),
  }),
  quantization: oneOf(
    quantizations,
    annotate({ group: "Answers", description: "Quantization of all models in this process", default: defaultConfig().quantization }),
  ),
  rewriter: Type.Optional(
    Type.String(
      annotate({
        group: "Answers",
        metavar: "NAME|DIR",
        description: "A model that rewrites each answer into a better one; pairs are then an answer and its rewrite",
      }),
    ),
  ),
  rewriterUrl: Type.Optional(
    addressOption(annotate({ group: "Answers", description: "Where the rewriter is served", defaultText: "in this process" })),
  ),
  instruction: Type.String(
    annotate({ group: "Answers", metavar: "TEXT", description: "What the rewriter is asked for", default: rewriteInstruction }),
  ),
  judge: Type.Array(
    Type.String({ minLength: 1 }),
    annotate({
      group: "Judges",
      metavar: "JUDGE",
      description: "May be repeated: the first one labels, the report compares all. The judges are listed below",
      whenMissing: "--judge is missing: say who labels, such as --judge raters.",
    }),
  ),
  ...judgeProperties("Judges"),
  form: oneOf(
    judgedForms,
    annotate({ group: "Labels", description: "Pairwise, listwise or pointwise preferences", default: judgedForms[0] }),
  ),
  pairs: Type.Optional(
    Type.Integer({ minimum: 1, ...annotate({ group: "Labels", description: "Pairs of each prompt", defaultText: "all" }) }),
  ),
  scale: oneOf(
    scales,
    annotate({ group: "Labels", description: "Rows on the graded scale have a margin, and points a score", default: scales[0] }),
  ),
  ties: oneOf(tieRules, annotate({ group: "Labels", description: "What becomes of equal pairs", default: tieRules[0] })),
  labelNoise: Type.Number({
    minimum: 0,
    maximum: 0.5,
    ...annotate({ group: "Labels", metavar: "P", description: "Probability that a label is turned around", default: 0 }),
  }),
  threshold: Type.Optional(
    Type.Number({
      minimum: -1e9,
      maximum: 1e9,
      ...annotate({
        group: "Labels",
        metavar: "X",
        description: "The score from which a binary point is good",
        defaultText: "the median",
      }),
    }),
  ),
  strongest: Type.Optional(
    Type.Integer({
      minimum: 1,
      ...annotate({
        group: "Selection of pairs",
        description:
          "Pairs of each prompt that are kept: those whose better answer stands furthest above the other, by mean margins over all answers",
        defaultText: "all",
      }),
    }),
  ),
  lengthPenalty: Type.Number({
    minimum: 0,
    ...annotate({
      group: "Selection of pairs",
      metavar: "X",
      description:
        "Taken off an answer's mean margin for each word, in the judge's units, with --strongest: against a preference for length",
      default: 0,
    }),
  }),
  leastMargin: Type.Number({
    minimum: 0,
    ...annotate({
      group: "Selection of pairs",
      metavar: "X",
      description: "Pairs with a smaller margin are left out, in the judge's units (up to 1 for raters)",
      default: 0,
    }),
  }),
  mostLengthDifference: Type.Optional(
    Type.Integer({
      minimum: 0,
      ...annotate({
        group: "Selection of pairs",
        description: "Pairs whose answers differ by more words are left out",
        defaultText: "all",
      }),
    }),
  ),
  agreeing: Type.Boolean(
    annotate({
      group: "Selection of pairs",
      description: "Leave out pairs whose other answer is better in one of the judge's dimensions",
      default: false,
    }),
  ),
});

export type CollectOptions = Static<typeof CollectSchema>;

/** @throws BonsaiError `usage` where options contradict each other, naming the flag. */
export function checkCollectOptions({ model, baseUrl, labelNoise, form, scale, judge: judges }: CollectOptions): void {
  const refuse = (flag: string, problem: string): never => {
    throw new BonsaiError("usage", `${flag} ${problem}.`, { param: flag });
  };
  if (model === undefined && baseUrl !== undefined) refuse("--model", "is missing: the policy's name at --base-url");
  if (labelNoise > 0 && form === "points" && scale === "graded") refuse("--label-noise", "turns labels, and graded points have none");
  requireDistinctJudges(judges);
}

/** @throws BonsaiError `usage` where a judge is named twice. */
export function requireDistinctJudges(judges: readonly string[]): void {
  const repeated = judges.find((name, at) => judges.indexOf(name) !== at);
  if (repeated !== undefined) throw new BonsaiError("usage", `--judge ${repeated} is given twice.`, { param: "--judge" });
}

/** The policy that samples answers; undefined where the given answers alone are judged. */
export function policyOf({ model, baseUrl, samples, temperature, maxTokens }: CollectOptions) {
  return model === undefined || samples === 0 ? undefined : { name: model, url: baseUrl, samples, temperature, maxTokens };
}

/** The model that rewrites answers, if one does. */
export function rewriterOf({ rewriter, rewriterUrl, instruction }: CollectOptions): (ModelPlace & { instruction: string }) | undefined {
  return rewriter === undefined ? undefined : { name: rewriter, url: rewriterUrl, instruction };
}

export function selectionOf({ strongest, lengthPenalty, leastMargin, mostLengthDifference, agreeing }: CollectOptions): PairSelection {
  return { strongest, lengthPenalty, leastMargin, mostLengthDifference, agreeing };
}
