/**
 * @file `npm run loadtest`: starts the server, runs every scenario that has no result yet, and writes docs/LOADTEST.md.
 */

import { runLoadTest } from "./load-test.ts";

process.exitCode = await runLoadTest(process.argv.slice(2));
