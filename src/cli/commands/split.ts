/** @file The command line of `npm run collect -- split FILE`: preference rows in parts for training and evaluation. */

import { splitPreferences, SplitSchema } from "../../preferences/split-preferences.ts";
import { runCommand, type Command } from "../run-command.ts";

const split: Command<typeof SplitSchema> = {
  name: "collect -- split",
  about: "Split preference rows for training and evaluation, so that nothing leaks.",
  usage: ["FILE --output-dir DIR [options]"],
  words: {
    metavar: "FILE",
    description: "JSON Lines of preferences.",
    minimum: 1,
    maximum: 1,
    whenWrong: "Name one file to split.",
  },
  schema: SplitSchema,
  notes: [
    "Whatever it is split by, two rows that share an answer stand on one side, and so do conversations that begin with the same words of the user.\n" +
      "Rows whose answers read alike, and rows that were there before, are left out.",
  ],
  run: (options, { words }) => {
    for (const line of splitPreferences(words[0]!, options)) console.log(line);
  },
};

/** @param args after the word split. @returns the exit status: 0, 1 when it failed, 2 for wrong usage. */
export async function runSplitCommand(args: readonly string[]): Promise<number> {
  return runCommand(split, args);
}
