/** @file Pre-trains a language model: `npm run pretrain -- --model DIR --dataset FILE --output-dir DIR`; `--help` lists the options. */

import { runPretrainCommand } from "../src/cli/train-command.ts";

process.exitCode = await runPretrainCommand(process.argv.slice(2));
