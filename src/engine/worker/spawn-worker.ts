/** @file Starts the compute worker as a process, compiled or from source, as the program itself runs. */

import { fork, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { turnTelemetryOff } from "../../runtime/telemetry.ts";

const isSource = import.meta.url.endsWith(".ts");
const entry = fileURLToPath(new URL(`./compute-worker.${isSource ? "ts" : "js"}`, import.meta.url));

/** Characters of a line that a worker writes; the rest is cut. */
const longestLine = 2000;

const running = new Set<ChildProcess>();
/** A worker within a step, or one that prepares a model, would hear only later that this process is gone. */
const killAll = (): void => {
  for (const worker of running) worker.kill("SIGKILL");
};

/** @param log takes what the worker and its native libraries write, line by line */
export function spawnWorker(log: (line: string) => void): ChildProcess {
  turnTelemetryOff();
  const worker = fork(entry, [], {
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: [
      // Limits of memory hold for the worker too. Other options of this process (inspector, test runner) are its own.
      ...process.execArgv.filter((option) => option.startsWith("--max-")),
      // Any free port, for an inspector that NODE_OPTIONS or SIGUSR1 starts: this process has the usual one.
      "--inspect-port=0",
      ...(isSource ? ["--import", import.meta.resolve("tsx")] : []),
    ],
  });
  for (const output of [worker.stdout!, worker.stderr!])
    createInterface({ input: output }).on("line", (line) => log(`Compute worker: ${line.slice(0, longestLine)}`));
  if (running.size === 0) process.on("exit", killAll);
  running.add(worker);
  worker.once("close", () => {
    running.delete(worker);
    if (running.size === 0) process.off("exit", killAll);
  });
  return worker;
}
