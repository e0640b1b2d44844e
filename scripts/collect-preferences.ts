/** @file Collects preferences: `npm run collect -- --prompts FILE --model NAME --judge raters --output-dir DIR`; `--help` lists the options. */

import { runCollectCommand } from "../src/cli/commands/collect.ts";

process.exitCode = await runCollectCommand(process.argv.slice(2));
