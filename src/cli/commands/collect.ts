/**
 * @file The command line of `npm run collect`: preferences from samples and judges, or, with the word split, a file of
 * them in parts.
 */

import { collectPreferences } from "../../preferences/collect-preferences.ts";
import { CollectSchema } from "../../preferences/collect-options.ts";
import { judgeHelp } from "../../preferences/judge-options.ts";
import { stopSignal } from "../../progress/stop-signal.ts";
import { commandText, runCommand, taskContext, type Command } from "../run-command.ts";
import { runSplitCommand } from "./split.ts";

const collect: Command<typeof CollectSchema> = {
  name: "collect",
  about: "Collect preferences: answers sampled from a policy or given with their prompts, and what judges say of them.",
  usage: ["--prompts FILE --judge JUDGE --output-dir DIR [options]", "split FILE --output-dir DIR [options]; see split --help"],
  schema: CollectSchema,
  notes: [`${judgeHelp}\n  rewrite             a rewrite is better than what it was made of`],
  run: async (options, { args }) => {
    const stop = stopSignal("Stopped at once: the same command with --resume goes on from the last prompt of the journal.");
    try {
      const command = commandText(
        "collect",
        args.filter((word) => word !== "--resume"),
      );
      const { collected, prompts } = await collectPreferences(options, taskContext(command), stop.signal);
      if (collected === prompts) return 0;
      console.error(`Stopped after ${collected} of ${prompts} prompts: the same command with --resume goes on from there.`);
      return 130;
    } finally {
      // Until everything is put away, a signal does not cut it short.
      stop.release();
    }
  },
};

/** @returns the exit status: 0, 1 when it failed, 2 for wrong usage, 130 when it was interrupted. */
export async function runCollectCommand(args: readonly string[]): Promise<number> {
  return args[0] === "split" ? runSplitCommand(args.slice(1)) : runCommand(collect, args);
}
