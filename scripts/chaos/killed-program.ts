/** @file Starts commands of this project for a while, and kills them without warning. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { projectRoot } from "../../src/catalog/project-root.ts";

export interface Started {
  child: ChildProcess;
  /** What it wrote so far, both streams. */
  output: () => string;
  /** Resolves to the exit status, or to null after a signal. */
  ended: Promise<number | null>;
}

/** Starts a module of this project, as `node --import tsx MODULE WORDS`. */
export function start(words: readonly string[], environment: Readonly<Record<string, string>>): Started {
  const child = spawn(process.execPath, ["--import", "tsx", ...words], {
    cwd: projectRoot(),
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return { child, output: () => output, ended: once(child, "close").then(([status]) => status as number | null) };
}

/** Runs it to its end. @returns milliseconds; throws where the status is not 0, with what was written */
export async function runToEnd(words: readonly string[], environment: Readonly<Record<string, string>>): Promise<number> {
  const startMs = performance.now();
  const { ended, output } = start(words, environment);
  const status = await ended;
  if (status !== 0) throw new Error(`${words.join(" ")} ended with status ${status}: ${output().slice(-2000)}`);
  return performance.now() - startMs;
}

/** Runs it, and kills it after `afterMs` unless it ends before. @returns whether it was killed */
export async function runAndKill(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  afterMs: number,
): Promise<boolean> {
  const { child, ended } = start(words, environment);
  const timer = new AbortController();
  void sleep(afterMs, undefined, { signal: timer.signal }).then(
    () => child.kill("SIGKILL"),
    () => undefined,
  );
  const status = await ended;
  timer.abort();
  return status === null;
}

/** Processes that a process started and that still run (Linux). */
export function childrenOf(process: number): number[] {
  const text = readFileSync(`/proc/${process}/task/${process}/children`, "utf8");
  return text.trim().split(" ").filter(Boolean).map(Number);
}
