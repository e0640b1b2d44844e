/** @file A conversation with a server in the terminal: `npm run chat -- --best-of 8`. */

import { runChatCommand } from "../src/cli/commands/chat.ts";

process.exitCode = await runChatCommand(process.argv.slice(2), { input: process.stdin, output: process.stdout, environment: process.env });
