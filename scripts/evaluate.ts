/** @file Reports on models: `npm run evaluate -- policy --model NAME --prompts FILE`, `npm run evaluate -- reward --model NAME --dataset FILE`; `--help` lists the options. */

import { runEvaluateCommand } from "../src/cli/commands/evaluate.ts";

process.exitCode = await runEvaluateCommand(process.argv.slice(2));
