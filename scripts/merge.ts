/** @file Adds an adapter to its base's weights: `npm run merge -- ADAPTER --output-dir DIR`; `--help` lists the options. */

import { runMergeCommand } from "../src/cli/commands/merge.ts";

process.exitCode = await runMergeCommand(process.argv.slice(2));
