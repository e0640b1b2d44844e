/** @file Where the server's log goes: as JSON to stdout, or in lines for people. */

import { PinoPretty } from "pino-pretty";
import type { Config } from "../../config/options.ts";
import type { LogDestination } from "../../server/build-server.ts";

/** What writes the log for people, in this thread; undefined for JSON to stdout, which the logger does itself. */
export function logDestination(format: Config["logFormat"], stdout: { isTTY?: boolean }): LogDestination | undefined {
  if (format === "json" || (format === "auto" && stdout.isTTY !== true)) return undefined;
  return PinoPretty({
    colorize: stdout.isTTY === true,
    destination: 1,
    sync: true,
    singleLine: true,
    translateTime: "SYS:HH:MM:ss",
    // The configuration is what --help and docs/CONFIG.md are for.
    ignore: "pid,hostname,config",
  });
}
