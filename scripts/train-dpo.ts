/** @file Tunes a policy on preferences: `npm run train:dpo -- --model NAME --dataset FILE --output-dir DIR`; `--help` lists the options. */

import { runDpoCommand } from "../src/cli/commands/train.ts";

process.exitCode = await runDpoCommand(process.argv.slice(2));
