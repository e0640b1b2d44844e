/** @file Fine-tunes a chat model on demonstrations: `npm run train:sft -- --model NAME --dataset FILE --output-dir DIR`; `--help` lists the options. */

import { runSftCommand } from "../src/cli/commands/train.ts";

process.exitCode = await runSftCommand(process.argv.slice(2));
