/** @file The command lines of `npm run evaluate -- policy`, `reward`, `prefixes` and `length`. */

import { didYouMean } from "../../config/suggestion.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { evaluateLength } from "../../evaluation/length/evaluate-length.ts";
import { LengthSchema } from "../../evaluation/length/length-options.ts";
import { evaluatePolicies } from "../../evaluation/policy/evaluate-policy.ts";
import { PolicyEvaluationSchema } from "../../evaluation/policy/policy-options.ts";
import { evaluatePrefixes } from "../../evaluation/prefixes/evaluate-prefixes.ts";
import { PrefixSchema, readLengths } from "../../evaluation/prefixes/prefix-options.ts";
import { evaluateReward } from "../../evaluation/reward/evaluate-reward.ts";
import { RewardEvaluationSchema } from "../../evaluation/reward/reward-options.ts";
import { judgeHelp } from "../../preferences/judge-options.ts";
import { commandText, exitStatusOf, runCommand, taskContext, type Command } from "../run-command.ts";

const policy: Command<typeof PolicyEvaluationSchema> = {
  name: "evaluate -- policy",
  about:
    "Sample a policy's answers to prompts, have judges score them and compare them with a baseline's, and report how they are written.",
  usage: ["--model NAME|DIR --prompts FILE [options]"],
  schema: PolicyEvaluationSchema,
  notes: [judgeHelp],
  run: async (options, { args }) => evaluatePolicies(options, taskContext(commandText(policy.name, args))),
};

const reward: Command<typeof RewardEvaluationSchema> = {
  name: "evaluate -- reward",
  about: "Evaluate reward models: how often the preferred answer has the higher score.",
  usage: ["--model NAME|DIR --dataset FILE [options]"],
  schema: RewardEvaluationSchema,
  run: async (options, { args }) => evaluateReward(options, taskContext(commandText(reward.name, args))),
};

const prefixes: Command<typeof PrefixSchema> = {
  name: "evaluate -- prefixes",
  about: 'Measure what a reward model\'s scores of prefixes are worth, for Best-of-N with prune: "auto".',
  usage: ["--model NAME|DIR --reward-model NAME|DIR --prompts FILE [options]"],
  schema: PrefixSchema,
  run: async (options, { args }) => evaluatePrefixes(readLengths(options), taskContext(commandText(prefixes.name, args))),
};

const length: Command<typeof LengthSchema> = {
  name: "evaluate -- length",
  about: "Measure how far a reward model's rewards go with the length of answers, and take a part of that off its rewards.",
  usage: ["--model NAME|DIR --dataset FILE [options]"],
  schema: LengthSchema,
  run: async (options, { args }) => evaluateLength(options, taskContext(commandText(length.name, args))),
};

const reports = new Map<string, (args: readonly string[]) => Promise<number>>([
  ["policy", (args) => runCommand(policy, args)],
  ["reward", (args) => runCommand(reward, args)],
  ["prefixes", (args) => runCommand(prefixes, args)],
  ["length", (args) => runCommand(length, args)],
]);

const help = `Report on policies and reward models.

Usage: ${[policy, reward, prefixes, length].map(({ name, usage: [options] }) => `npm run ${name} ${options}`).join("\n       ")}

Each of them lists its options with --help, as in npm run evaluate -- policy --help.`;

/** @returns the exit status: 0, 1 when it failed, 2 for wrong usage. */
export async function runEvaluateCommand([name = "", ...args]: readonly string[]): Promise<number> {
  const report = reports.get(name);
  if (report !== undefined) return report(args);
  return exitStatusOf("evaluate", async () => {
    if (![name, ...args].some((word) => word === "--help" || word === "-h"))
      throw new BonsaiError(
        "usage",
        `Say what to evaluate: policy, reward, prefixes or length.${didYouMean(name, [...reports.keys()])} See --help.`,
      );
    console.log(help);
  });
}
