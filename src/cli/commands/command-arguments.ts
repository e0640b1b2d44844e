/** @file The words of a command line as flags and positional arguments. */

import { parseArgs, type ParseArgsConfig } from "node:util";
import { BonsaiError } from "../../errors/bonsai-error.ts";

/** @throws BonsaiError `usage`, naming the word at fault. */
export function parseArguments<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; allowPositionals: true; options: Options }>> {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (cause) {
    throw new BonsaiError("usage", `${cause instanceof Error ? cause.message : String(cause)} See --help.`, { cause });
  }
}

/** A word as a shell takes it. */
export function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
