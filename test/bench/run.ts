/** @file `npm run bench -- NAME [arguments]`: runs test/bench/NAME.ts, or lists the measurements there are. */

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const [name, ...parameters] = process.argv.slice(2);
const file = join(folder, `${name}.ts`);

if (name === undefined || !/^[a-z0-9-]+$/.test(name) || name === "run" || !existsSync(file)) {
  const names = readdirSync(folder)
    .filter((entry) => entry.endsWith(".ts") && entry !== "run.ts")
    .map((entry) => entry.slice(0, -3));
  console.error(`Name a measurement: npm run bench -- ${names.length === 0 ? "NAME (there is none yet)" : names.join(" | ")}`);
  process.exitCode = 2;
} else {
  // A process of its own: what the measurement allocates and how it ends is its own affair.
  const child = spawn(process.execPath, ["--import", "tsx", file, ...parameters], { stdio: "inherit" });
  child.on("close", (status) => (process.exitCode = status ?? 1));
}
