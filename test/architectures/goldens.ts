/**
 * @file The tiny models of every architecture that PyTorch has run (test/oracle/architectures.py), and what it
 * computed.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const goldenModels = ["llama", "llama3-rope", "qwen2", "qwen3", "gpt2"] as const;

export interface GoldenCase {
  ids: number[];
  /** Where logits were kept. */
  positions: number[];
  /** [positions][V], after the token at each position. */
  logits: number[][];
  greedy: { ids: number[]; logprobs: number[] };
}

export function goldenPath(name: (typeof goldenModels)[number]): string {
  return fileURLToPath(new URL(`../oracle/models/${name}`, import.meta.url));
}

export function goldenCases(name: (typeof goldenModels)[number]): GoldenCase[] {
  return (JSON.parse(readFileSync(join(goldenPath(name), "golden.json"), "utf8")) as { cases: GoldenCase[] }).cases;
}

/** The largest difference of two rows of logits. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let at = 0; at < Math.max(a.length, b.length); at++) largest = Math.max(largest, Math.abs(a[at]! - b[at]!));
  return largest;
}
