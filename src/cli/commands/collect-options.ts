/** @file The command line of `npm run collect`: its words as options, or what is wrong with them. */

import { defaultConfig, quantizations, type Quantization } from "../../config/options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { rewriteInstruction } from "../../preferences/candidates.ts";
import { judgedForms, type JudgedForm } from "../../preferences/collection.ts";
import { mostAnswers } from "../../judges/judges.ts";
import type { PairSelection } from "../../preferences/pair-selection.ts";
import { scales, tieRules, type Scale, type TieRule } from "../../preferences/preference-writing.ts";
import { parseArguments } from "./command-arguments.ts";
import type { JudgeOptions, ModelPlace } from "./judge-material.ts";

export const collectHelp = `Collect preferences: answers sampled from a policy or given with their prompts, and what judges say of them.

Usage: npm run collect -- --prompts FILE --judge JUDGE --output-dir DIR [options]
       npm run collect -- split FILE --output-dir DIR [options]; see split --help

  --prompts FILE        JSON Lines of {"prompt": text or messages}; may hold answers too ("completions": [...], or "chosen" and "rejected") and
                        "references": [...]. Of rows of {"messages"}, the last answer is the reference
  --limit N             prompts from the file's beginning (default all); a larger one later goes on
  --output-dir DIR      preferences.jsonl (rows in TRL's format), report.md, and journal.jsonl, which holds every answer and verdict
  --resume              go on with a collection that was interrupted, or write it anew by other ties, scale, noise, threshold or selection
  --seed N              of samples, raters, noise (default 0)

Answers:
  --model NAME|DIR      the policy, in this process
  --base-url URL        the policy is served there (OpenAI protocol) as --model; a key is taken from OPENAI_API_KEY
  --samples N           of each prompt (default 4; 0 judges the given answers alone)
  --temperature T       of the samples (default 1)
  --max-tokens N        longest answer (default 160 tokens)
  --quantization MODE   ${quantizations.join(", ")}: of all models in this process (default ${defaultConfig().quantization})
  --rewriter NAME|DIR   a model that rewrites each answer into a better one; pairs are then of answer and rewrite
  --rewriter-url URL    where it is served
  --instruction TEXT    what it is asked for (default: "${rewriteInstruction}")

Labels:
  --judge JUDGE         may be repeated: the first one labels, the report compares all
                          raters, raters=N    the teddy world's simulated raters: one drawn for each prompt, or the majority of N
                          rater=NAME          one of them
                          gold                the teddy world's gold program
                          llm=NAME|DIR        a language model, asked about pairs in both orders; served at --judge-url, or in this process
                          reward=NAME|DIR     a reward model, in this process
                          people=FILE         ratings: {"prompt", "completion", "rating", "ratings"?} or {"prompt", "chosen", "rejected"}
                          bleu, rouge-l       nearness to the references
                          length, length=N    longer is better, or nearer to N words
                          format, format=RE   good form, or a match of a regular expression
                          lexicon=FILE        a JSON object of words and weights
                          rewrite             a rewrite is better than what it was made of
  --judge-url URL       where llm=NAME is served
  --criterion TEXT      what the language model judges by
  --judge-tokens N      room for its reasons (default 512 tokens)
  --form FORM           ${judgedForms.join(", ")} (default pairs): pairwise, listwise or pointwise
  --pairs N             of each prompt (default all)
  --equal-below X       scores that differ by less are equal (default 0, in the judge's units; of scores alone)
  --scale SCALE         ${scales.join(", ")} (default binary): graded rows have a margin, and points a score
  --ties RULE           ${tieRules.join(", ")} (default drop): what becomes of equal pairs
  --strongest N         pairs of each prompt: those whose better answer stands furthest above the other, by mean margins over all answers (default all)
  --length-penalty X    taken off an answer's standing for each word, in the judge's units: against a taste for length (default 0; with --strongest)
  --least-margin X      pairs of a smaller margin are left out (default 0, in the judge's units; of raters up to 1)
  --most-length-difference N  pairs whose answers differ by more words are left out (default none)
  --agreeing            pairs of which the other answer is better in a dimension are left out
  --label-noise P       probability that a label is turned around, from 0 to 0.5 (default 0)
  --threshold X         the mark from which a binary point is good (default: the median)
  --help, -h`;

export interface CollectOptions extends JudgeOptions {
  prompts: string;
  limit: number | undefined;
  outputDir: string;
  resume: boolean;
  policy: (ModelPlace & { samples: number; temperature: number; maxTokens: number }) | undefined;
  quantization: Quantization;
  rewriter: (ModelPlace & { instruction: string }) | undefined;
  judges: string[];
  form: JudgedForm;
  pairs: number | undefined;
  scale: Scale;
  ties: TieRule;
  noise: number;
  threshold: number | undefined;
  selection: PairSelection;
}

/** @returns undefined where help is asked for. @throws BonsaiError `usage`, naming the flag. */
export function readCollectOptions(args: readonly string[]): CollectOptions | undefined {
  const { values, positionals } = parseArguments(args, flags);
  if (values.help === true) return undefined;
  if (positionals.length > 0) throw wrong(positionals[0]!, "is no flag; the only command is split. See --help");
  const needed = (flag: "prompts" | "output-dir"): string => {
    const value = values[flag];
    if (value === undefined) throw wrong(`--${flag}`, `is missing: name ${flag === "prompts" ? "a file" : "a folder"}`);
    return value;
  };
  const samples = numberOf("samples", values.samples, { least: 0, most: mostAnswers / 4, whole: true });
  const { model, "base-url": url, rewriter, "rewriter-url": rewriterUrl } = values;
  if (model === undefined && url !== undefined) throw wrong("--model", "is missing: the policy's name at --base-url");
  const temperature = numberOf("temperature", values.temperature, { least: 0, most: 100 });
  const maxTokens = numberOf("max-tokens", values["max-tokens"], { least: 1, whole: true });
  if (values.judge === undefined) throw wrong("--judge", "is missing: say who labels, such as --judge raters");
  const noise = numberOf("label-noise", values["label-noise"], { least: 0, most: 0.5 });
  const form = oneOf("form", values.form, judgedForms);
  const scale = oneOf("scale", values.scale, scales);
  if (noise > 0 && form === "points" && scale === "graded") throw wrong("--label-noise", "turns labels, and graded points have none");
  const optional = <T>(value: string | undefined, read: (text: string) => T): T | undefined =>
    value === undefined ? undefined : read(value);
  return {
    prompts: needed("prompts"),
    limit: optional(values.limit, (text) => numberOf("limit", text, { least: 1, whole: true })),
    outputDir: needed("output-dir"),
    resume: values.resume === true,
    seed: numberOf("seed", values.seed, { least: 0, whole: true }),
    policy:
      model === undefined || samples === 0
        ? undefined
        : { name: model, url: optional(url, requireUrl("base-url")), samples, temperature, maxTokens },
    quantization: oneOf("quantization", values.quantization ?? defaultConfig().quantization, quantizations),
    rewriter: optional(rewriter, (name) => ({
      name,
      url: optional(rewriterUrl, requireUrl("rewriter-url")),
      instruction: values.instruction ?? rewriteInstruction,
    })),
    judges: values.judge,
    judgeUrl: optional(values["judge-url"], requireUrl("judge-url")),
    criterion: values.criterion,
    judgeTokens: numberOf("judge-tokens", values["judge-tokens"], { least: 1, whole: true }),
    form,
    pairs: optional(values.pairs, (text) => numberOf("pairs", text, { least: 1, whole: true })),
    equalBelow: numberOf("equal-below", values["equal-below"], { least: 0 }),
    scale,
    ties: oneOf("ties", values.ties, tieRules),
    noise,
    threshold: optional(values.threshold, (text) => numberOf("threshold", text, { least: -1e9, most: 1e9 })),
    selection: {
      strongest: optional(values.strongest, (text) => numberOf("strongest", text, { least: 1, whole: true })),
      lengthPenalty: numberOf("length-penalty", values["length-penalty"], { least: 0 }),
      leastMargin: numberOf("least-margin", values["least-margin"], { least: 0 }),
      mostLengthDifference: optional(values["most-length-difference"], (text) =>
        numberOf("most-length-difference", text, { least: 0, whole: true }),
      ),
      agreeing: values.agreeing === true,
    },
  };
}

function wrong(flag: string, problem: string): BonsaiError {
  return new BonsaiError("usage", `${flag} ${problem}.`, { param: flag });
}

export interface NumberRange {
  least: number;
  most?: number;
  whole?: boolean;
}

/** @throws BonsaiError `usage`, naming the flag and what it may be. */
export function numberOf(flag: string, text: string, { least, most = Number.MAX_SAFE_INTEGER, whole = false }: NumberRange): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= least && value <= most && (!whole || Number.isSafeInteger(value))) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw wrong(`--${flag}`, `is ${JSON.stringify(text)}; it must be ${whole ? "an integer" : "a number"} ${range}`);
}

export function oneOf<const T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((known) => known === text);
  if (choice === undefined) throw wrong(`--${flag}`, `is ${JSON.stringify(text)}; it must be one of ${choices.join(", ")}`);
  return choice;
}

/** Reads an address. */
export function requireUrl(flag: string): (text: string) => string {
  return (text) => {
    if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
    throw wrong(`--${flag}`, `is ${JSON.stringify(text)}; it must be an address such as http://127.0.0.1:8000/v1`);
  };
}

const flags = {
  help: { type: "boolean", short: "h" },
  prompts: { type: "string" },
  limit: { type: "string" },
  "output-dir": { type: "string" },
  resume: { type: "boolean" },
  seed: { type: "string", default: "0" },
  model: { type: "string" },
  "base-url": { type: "string" },
  samples: { type: "string", default: "4" },
  temperature: { type: "string", default: "1" },
  "max-tokens": { type: "string", default: "160" },
  quantization: { type: "string" },
  rewriter: { type: "string" },
  "rewriter-url": { type: "string" },
  instruction: { type: "string" },
  judge: { type: "string", multiple: true },
  "judge-url": { type: "string" },
  criterion: { type: "string" },
  "judge-tokens": { type: "string", default: "512" },
  form: { type: "string", default: "pairs" },
  pairs: { type: "string" },
  "equal-below": { type: "string", default: "0" },
  scale: { type: "string", default: "binary" },
  ties: { type: "string", default: "drop" },
  "label-noise": { type: "string", default: "0" },
  threshold: { type: "string" },
  strongest: { type: "string" },
  "length-penalty": { type: "string", default: "0" },
  "least-margin": { type: "string", default: "0" },
  "most-length-difference": { type: "string" },
  agreeing: { type: "boolean" },
} as const;
