/** @file Says which way to answer fits a latency budget: `npm run advise -- --budget-ms 800`. */

import { runAdviseCommand } from "../src/cli/commands/advise.ts";

process.exitCode = runAdviseCommand(process.argv.slice(2));
