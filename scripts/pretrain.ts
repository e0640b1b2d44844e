/** @file Pre-trains a language model: `npm run pretrain -- --model DIR --dataset FILE --output-dir DIR`; `--help` lists the options. */

import { runPretrainCommand } from "../src/cli/commands/train.ts";

process.exitCode = await runPretrainCommand(process.argv.slice(2));
