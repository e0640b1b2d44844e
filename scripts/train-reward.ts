/** @file Trains a reward model on preferences: `npm run train:reward -- --model NAME --dataset FILE --output-dir DIR`; `--help` lists the options. */

import { runRewardCommand } from "../src/cli/commands/train.ts";

process.exitCode = await runRewardCommand(process.argv.slice(2));
