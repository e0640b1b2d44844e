/**
 * @file A program that takes an output folder as a trainer does, says whether it did, and holds it until it is killed
 * or told to end.
 */

import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openWorkFolder } from "../../../src/training/run/work-folder.ts";

/**
 * `lock-holder.ts`: takes the folder that it reads from its input, and answers "taken" or the code of the refusal; at
 * the end of the input it releases.
 */
async function main(): Promise<void> {
  process.stdout.write("ready\n");
  let release: (() => Promise<void>) | undefined;
  for await (const chunk of process.stdin) {
    try {
      release = (await openWorkFolder(String(chunk).trim())).remove;
      process.stdout.write("taken\n");
    } catch (error) {
      if (!(error instanceof BonsaiError)) throw error;
      process.stdout.write(`${error.code}\n`);
    }
  }
  await release?.();
}

await main();
