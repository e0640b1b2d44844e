/** @file The program's entry: `bonsai COMMAND ARGUMENTS`. */

import { runAdviseCommand } from "./commands/advise.ts";
import { loadEngine } from "./commands/load-engine.ts";
import { runPullCommand } from "./commands/pull.ts";
import { runServeCommand } from "./commands/serve.ts";

const usage = `Usage: bonsai COMMAND [OPTIONS]

  serve   serve models over the OpenAI protocol
  pull    fetch a model of the catalog
  advise  say which model and number of candidates fit a latency budget

bonsai COMMAND --help tells more.
`;

async function run([command, ...args]: readonly string[]): Promise<number> {
  if (command === "serve") return runServeCommand(args, loadEngine);
  if (command === "pull") return runPullCommand(args);
  if (command === "advise") return runAdviseCommand(args);
  const asked = command === undefined || command === "--help" || command === "-h" || command === "help";
  (asked ? process.stdout : process.stderr).write(asked ? usage : `There is no command "${command}".\n${usage}`);
  return asked && command !== undefined ? 0 : 2;
}

process.exitCode = await run(process.argv.slice(2));
