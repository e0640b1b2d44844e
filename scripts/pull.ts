/** @file Fetches models of the catalog: `npm run pull -- smollm2-135m-instruct`. */

import { runPullCommand } from "../src/cli/commands/pull.ts";

process.exitCode = await runPullCommand(process.argv.slice(2));
