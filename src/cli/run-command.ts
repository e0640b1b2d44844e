/**
 * @file Runs a command: reads its options, prints its help or the version, and makes one line and an exit status of
 * what goes wrong.
 */

import type { Static, TObject } from "typebox";
import { programVersion } from "../catalog/project-root.ts";
import { commandHelp, readCommand, type CommandDescription } from "../config/command-options.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { printable } from "../errors/printable.ts";
import { createProgress } from "../progress/progress.ts";
import type { TaskContext } from "../progress/task-context.ts";

/** What the command line holds beside the options. */
export interface CommandLine {
  /** Words that belong to no flag. */
  words: readonly string[];
  /** Everything after the command's name. */
  args: readonly string[];
}

export interface Command<Schema extends TObject> extends CommandDescription<Schema> {
  /** @returns the exit status; none stands for 0. */
  run: (options: Static<Schema>, line: CommandLine) => Promise<number | void> | number | void;
}

/**
 * @param write takes the texts of --help and --version
 * @returns the exit status: what the command returns, 1 when it failed, 2 for wrong usage.
 */
export async function runCommand<Schema extends TObject>(
  command: Command<Schema>,
  args: readonly string[],
  write: (text: string) => void = console.log,
): Promise<number> {
  return exitStatusOf(command.name.split(" ")[0]!, async () => {
    const invocation = readCommand(command, args);
    if (invocation.kind === "run") return command.run(invocation.options, { words: invocation.words, args });
    write(invocation.kind === "help" ? commandHelp(command).trimEnd() : programVersion());
    return 0;
  });
}

/** The exit status of `run`; an error that is the user's to mend becomes a line that begins with the command's name. */
export async function exitStatusOf(name: string, run: () => Promise<number | void>): Promise<number> {
  try {
    return (await run()) ?? 0;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`${name}: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}

/** The command as a person would type it. @param name as in `CommandDescription` */
export function commandText(name: string, args: readonly string[]): string {
  return ["npm run", name.includes(" -- ") ? name : `${name} --`, ...args.map(quotedWord)].join(" ");
}

/** Results go to standard output, everything else to standard error. */
export function taskContext(command: string): TaskContext {
  return {
    command,
    log: (line) => console.error(printable(line, { keepLines: true })),
    print: console.log,
    startProgress: (scale) => createProgress(process.stderr, console.error, scale),
  };
}

/** A word as a shell takes it. */
export function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
