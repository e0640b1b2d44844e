/**
 * @file The program's entry, `bonsai COMMAND ARGUMENTS`: finds the command's module, runs it and takes its exit status.
 */

import { didYouMean } from "../config/suggestion.ts";

/** @returns the exit status: 0, 1 when the command failed, 2 for wrong usage, 130 when it was interrupted. */
type RunCommand = (args: readonly string[]) => Promise<number> | number;

interface CommandEntry {
  summary: string;
  /** Imports the command's module, so that a command loads only what it needs. */
  load: () => Promise<RunCommand>;
}

/** The commands by name, which are those of package.json's scripts. */
const commands: Readonly<Record<string, CommandEntry>> = {
  serve: {
    summary: "serve models over the OpenAI protocol",
    load: async () => {
      const [{ runServeCommand }, { loadEngine }] = await Promise.all([import("./commands/serve.ts"), import("./commands/load-engine.ts")]);
      return async (args) => runServeCommand(args, loadEngine);
    },
  },
  chat: {
    summary: "talk to a server in the terminal",
    load: async () => {
      const { runChatCommand } = await import("./commands/chat.ts");
      return async (args) => runChatCommand(args, { input: process.stdin, output: process.stdout, environment: process.env });
    },
  },
  pull: {
    summary: "fetch models of the catalog",
    load: async () => (await import("./commands/pull.ts")).runPullCommand,
  },
  pretrain: {
    summary: "pre-train a language model on texts",
    load: async () => (await import("./commands/train.ts")).runPretrainCommand,
  },
  "train:sft": {
    summary: "fine-tune a chat model on demonstrations",
    load: async () => (await import("./commands/train.ts")).runSftCommand,
  },
  "train:reward": {
    summary: "train a reward model or a value model",
    load: async () => (await import("./commands/train.ts")).runRewardCommand,
  },
  "train:dpo": {
    summary: "tune a policy on preferences (DPO, ORPO, SimPO, KTO)",
    load: async () => (await import("./commands/train.ts")).runDpoCommand,
  },
  collect: {
    summary: "collect preferences, or split a file of them",
    load: async () => (await import("./commands/collect.ts")).runCollectCommand,
  },
  evaluate: {
    summary: "report on policies and reward models",
    load: async () => (await import("./commands/evaluate.ts")).runEvaluateCommand,
  },
  merge: {
    summary: "add an adapter to the weights of its base",
    load: async () => (await import("./commands/merge.ts")).runMergeCommand,
  },
  advise: {
    summary: "say which model and number of candidates fit a latency budget",
    load: async () => (await import("./commands/advise.ts")).runAdviseCommand,
  },
};

const usage = [
  "Usage: bonsai COMMAND [OPTIONS]",
  "",
  ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(14)}${summary}`),
  "",
  "bonsai COMMAND --help lists the options of a command.",
  "",
].join("\n");

async function run([name, ...args]: readonly string[]): Promise<number> {
  if (name !== undefined && Object.hasOwn(commands, name)) return (await commands[name]!.load())(args);
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(usage);
    return 0;
  }
  const problem = name === undefined ? "" : `There is no command "${name}".${didYouMean(name, Object.keys(commands))}\n`;
  process.stderr.write(`${problem}${usage}`);
  return 2;
}

process.exitCode = await run(process.argv.slice(2));
