/** @file What PyTorch computed of policies (test/oracle/policy-training.py), and the batches that it computed it on. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { WeightedLoss } from "../../../src/training/preference/losses.ts";

export interface PolicyLossGoldens {
  /** Shared by all cases of pairs. */
  pairs: Record<"chosen" | "rejected" | "referenceChosen" | "referenceRejected", number[]> & { lengths: [number[], number[]] };
  cases: Record<
    string,
    { mix: WeightedLoss[]; beta: number; labelSmoothing: number; loss: number; gradients: [chosen: number[], rejected: number[]] }
  >;
  kto: (Record<"answer" | "reference" | "unmatched" | "referenceUnmatched" | "labels" | "gradients", number[]> &
    Record<"beta" | "desirableWeight" | "undesirableWeight" | "loss", number>)[];
}

export interface PolicyGolden {
  mix: WeightedLoss[];
  beta: number;
  /** Prompt, chosen and rejected answer by step and pair. */
  batches: [prompt: number[], chosen: number[], rejected: number[]][][];
  /** Log-probabilities by step, [P, 2]. */
  references: number[][];
  policies: number[][];
  losses: number[];
  norms: number[];
  /** Digests by name: of the first step's gradient, and of the weights after the last. */
  gradients: Record<string, number[]>;
  trained: Record<string, number[]>;
  /** LoRA's target modules. */
  targets?: string[];
}

/** A case of one loss and form, as TRL has it. */
export interface PolicyTrlCase {
  beta: number;
  labelSmoothing: number;
  /** Log-probabilities of the reference, [P, 2]. */
  references: number[];
  loss: number;
  /** By TRL's names. */
  metrics: Record<string, number>;
  /** The norm of the whole gradient. */
  norm: number;
  /** Digests of some. */
  gradients: Record<string, number[]>;
}

export interface PolicyTrlGoldens extends Record<"full" | "lora", Record<string, PolicyTrlCase>> {
  /** Prompt, chosen and rejected answer. */
  pairs: [prompt: number[], chosen: number[], rejected: number[]][];
  /** KTO's rows: a prompt, its answer, and an answer to another prompt. */
  matched: [prompt: number[], answer: number[], unmatched: number[]][];
  labels: (1 | -1)[];
  /** The weights of KTO's wanted and unwanted answers. */
  weights: [number, number];
  /** LoRA's target modules. */
  targets: string[];
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(fileURLToPath(new URL(`../../oracle/policy-training/${name}.json`, import.meta.url)), "utf8"));
}

export function policyLossGoldens(): PolicyLossGoldens {
  return read("losses") as PolicyLossGoldens;
}

export function policyTrlGoldens(): PolicyTrlGoldens {
  return read("stories260K") as PolicyTrlGoldens;
}

export function policyGolden(model: "llama" | "qwen3" | "gpt2"): { full: PolicyGolden; lora?: PolicyGolden } {
  return read(model) as { full: PolicyGolden; lora?: PolicyGolden };
}
