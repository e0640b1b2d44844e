/** @file The command line of `npm run evaluate -- policy`: its words as options, or what is wrong with them. */

import { defaultConfig, quantizations, type Quantization } from "../../config/options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { readJudgeWord } from "./collect-judges.ts";
import { numberOf, oneOf, requireUrl } from "./collect-options.ts";
import { parseArguments } from "./command-arguments.ts";
import type { JudgeOptions } from "./judge-material.ts";

export const evaluatePolicyHelp = `Sample a policy's answers to prompts, have judges score them and compare them with a baseline's, and report how they are written.

Usage: npm run evaluate -- policy --model NAME|DIR --prompts FILE [options]
       npm run evaluate -- reward --model NAME|DIR --dataset FILE [options]; see reward --help
       npm run evaluate -- prefixes --model NAME|DIR --reward-model NAME|DIR --prompts FILE [options]; see prefixes --help
       npm run evaluate -- length --model NAME|DIR --dataset FILE [options]; see length --help

  --model NAME|DIR    what to evaluate; may be repeated, to compare
  --prompts FILE      JSON Lines of {"prompt": text or messages, "references"?: [...], "unsafe"?: true}; of rows of {"messages"} the last answer is the
                      reference. Requests that should be turned down are known by "unsafe", or in the teddy world by what they ask
  --limit N           prompts that are taken from the file's beginning (default 200)
  --samples N         answers of each prompt (default 16)
  --temperature T     of the samples (default 1)
  --max-tokens N      longest answer (default 160 tokens)
  --seed N            of the samples (default 0)
  --quantization MODE ${quantizations.join(", ")}: of all models in this process (default fp32)
  --baseline NAME|DIR what the models are compared with, answer by answer: win rates, what lengths account for, and the distance KL(model || baseline)
  --judge JUDGE       may be repeated (default gold, the judge of the teddy world):
                        gold, raters=N                the teddy world's gold program, its simulated raters
                        reward=NAME|DIR               a reward model, in this process
                        llm=NAME|DIR                  a language model, served at --judge-url or in this process: asked about pairs in both orders, and
                                                      for marks where there is no baseline
                        length=N, format=RE, lexicon=FILE, bleu, rouge-l, people=FILE    rules, and people's ratings, as of npm run collect
  --judge-url URL     where llm=NAME is served; a key is taken from OPENAI_API_KEY
  --criterion TEXT    what the language model judges by
  --judge-tokens N    room for its reasons (default 512 tokens)
  --equal-below X     scores that differ by less are equal (default 0, in the judge's units; of scores alone)
  --card FILE         model card whose section "Gold scores" (without that judge "Comparison") is written anew, with ten conversations of the first model
  --chart FILE        where scores and win rates are drawn, as SVG
  --help, -h`;

export interface EvaluatePolicyOptions extends JudgeOptions {
  models: string[];
  prompts: string;
  limit: number;
  samples: number;
  temperature: number;
  maxTokens: number;
  quantization: Quantization;
  baseline: string | undefined;
  judges: string[];
  card: string | undefined;
  chart: string | undefined;
}

/** @returns undefined where help is asked for. @throws BonsaiError `usage`, naming the flag. */
export function readEvaluatePolicyOptions(args: readonly string[]): EvaluatePolicyOptions | undefined {
  const { values, positionals } = parseArguments(args, flags);
  if (values.help === true) return undefined;
  if (positionals.length > 0) throw new BonsaiError("usage", `policy takes flags alone, and not ${positionals[0]}. See --help.`);
  if (values.model === undefined) throw new BonsaiError("usage", "Name what to evaluate: --model NAME or DIR.", { param: "--model" });
  if (values.prompts === undefined) throw new BonsaiError("usage", "Name the prompts: --prompts FILE.", { param: "--prompts" });
  const { judge: judges = ["gold"], "judge-url": judgeUrl } = values;
  const repeated = judges.find((name, at) => judges.indexOf(name) !== at);
  if (repeated !== undefined) throw new BonsaiError("usage", `--judge ${repeated} is given twice.`, { param: "--judge" });
  for (const name of judges)
    if (readJudgeWord(name).kind === "rewrite")
      throw new BonsaiError("usage", "--judge rewrite: it knows rewrites from what they were made of, and a policy's answers are none.", {
        param: "--judge",
      });
  return {
    models: values.model,
    prompts: values.prompts,
    limit: numberOf("limit", values.limit, { least: 1, whole: true }),
    samples: numberOf("samples", values.samples, { least: 1, most: defaultConfig().maxSequences, whole: true }),
    temperature: numberOf("temperature", values.temperature, { least: 0 }),
    maxTokens: numberOf("max-tokens", values["max-tokens"], { least: 1, whole: true }),
    seed: numberOf("seed", values.seed, { least: 0, whole: true }),
    quantization: oneOf("quantization", values.quantization, quantizations),
    baseline: values.baseline,
    judges,
    judgeUrl: judgeUrl === undefined ? undefined : requireUrl("judge-url")(judgeUrl),
    criterion: values.criterion,
    judgeTokens: numberOf("judge-tokens", values["judge-tokens"], { least: 1, whole: true }),
    equalBelow: numberOf("equal-below", values["equal-below"], { least: 0 }),
    card: values.card,
    chart: values.chart,
  };
}

const flags = {
  help: { type: "boolean", short: "h" },
  model: { type: "string", multiple: true },
  prompts: { type: "string" },
  limit: { type: "string", default: "200" },
  samples: { type: "string", default: "16" },
  temperature: { type: "string", default: "1" },
  "max-tokens": { type: "string", default: "160" },
  seed: { type: "string", default: "0" },
  quantization: { type: "string", default: "fp32" },
  baseline: { type: "string" },
  judge: { type: "string", multiple: true },
  "judge-url": { type: "string" },
  criterion: { type: "string" },
  "judge-tokens": { type: "string", default: "512" },
  "equal-below": { type: "string", default: "0" },
  card: { type: "string" },
  chart: { type: "string" },
} as const;
