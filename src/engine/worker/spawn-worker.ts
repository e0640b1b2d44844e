/** @file Starts the compute worker as a process, compiled or from source, as the program itself runs. */

import { fork, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { removeLeftFiles } from "../../runtime/artifacts/prepared-files.ts";
import { waitForEnd } from "../../runtime/artifacts/process-identity.ts";
import { turnTelemetryOff } from "../../runtime/telemetry.ts";

const isSource = import.meta.url.endsWith(".ts");
const entry = fileURLToPath(new URL(`./compute-worker.${isSource ? "ts" : "js"}`, import.meta.url));

/** Characters of a line that a worker writes; the rest is cut. */
const longestLine = 2000;

/** The workers that run, each with its folder of prepared models. */
const running = new Map<ChildProcess, string | undefined>();
/** This process exits with a killed worker after so long, whether the system has ended the worker or not. */
const killMs = 1000;
/** A worker within a step, or one that prepares a model, would hear only later that this process is gone. */
const killAll = (): void => {
  for (const worker of running.keys()) worker.kill("SIGKILL");
  for (const [{ pid }, cacheDir] of running) {
    if (pid !== undefined) waitForEnd(pid, killMs);
    if (cacheDir !== undefined) removeLeftFiles(cacheDir);
  }
};

/**
 * @param log takes what the worker and its native libraries write, line by line
 * @param cacheDir where it prepares models: what it leaves there when it is killed is removed
 */
export function spawnWorker(log: (line: string) => void, cacheDir: string | undefined): ChildProcess {
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
  running.set(worker, cacheDir);
  worker.once("close", () => {
    running.delete(worker);
    if (running.size === 0) process.off("exit", killAll);
    if (cacheDir !== undefined) removeLeftFiles(cacheDir);
  });
  return worker;
}
