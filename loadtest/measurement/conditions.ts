/** @file The machine and the versions of a measurement. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

export interface Conditions {
  /** ISO 8601. */
  measuredAt: string;
  profile: "full" | "quick";
  processor: string;
  cores: number;
  memoryGiB: number;
  system: string;
  /** The load average of the minute before the measurement: above 0, other work may have disturbed it. */
  loadBefore: number;
  /** Name to version: the program, its commit, Node, ONNX Runtime and the peers. */
  versions: Record<string, string>;
}

/** Reads them from the machine. @param peers versions of the engines that are measured beside ours */
export function readConditions(profile: Conditions["profile"], peers: Record<string, string> = {}): Conditions {
  const processors = cpus();
  return {
    measuredAt: new Date().toISOString(),
    profile,
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    versions: { bonsai: commit(), node: process.version.slice(1), "onnxruntime-node": packageVersion("onnxruntime-node"), ...peers },
  };
}

function packageVersion(name: string): string {
  const path = createRequire(import.meta.url).resolve(`${name}/package.json`);
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

function commit(): string {
  try {
    const git = (...words: string[]): string =>
      execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    const changed = git("status", "--porcelain", "--", "src", "package-lock.json") !== "";
    return `${git("rev-parse", "--short", "HEAD")}${changed ? " with changes" : ""}`;
  } catch {
    return "unknown commit";
  }
}
