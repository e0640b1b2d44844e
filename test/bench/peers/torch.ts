/** @file PyTorch beside us: the Python that has torch, transformers and peft, which BONSAI_TORCH_PYTHON names. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModel } from "../../../src/formats/open-model.ts";
import type { PolicyLoad } from "../load/policy-steps.ts";
import { loraRank, loraTargets, timedProcess, type TimedSteps, type TrainingLoad } from "../load/training-steps.ts";
import { findPython, type Python } from "../../../loadtest/peers/python.ts";

/**
 * Undefined, and a line that says what to do, where PyTorch is absent.
 * @param packages that are needed, by the names that Python imports them by
 */
export function findTorch(
  say: (line: string) => void,
  packages: readonly string[] = ["torch", "transformers", "peft"],
): Python | undefined {
  return findPython({ peer: "PyTorch", variable: "BONSAI_TORCH_PYTHON", packages }, say);
}

/** The steps of the same load, of a model of the same config. */
export async function torchSteps(torch: Python, { kind, model, rows, length, steps }: TrainingLoad): Promise<TimedSteps> {
  return peerSteps(torch, "torch-train.py", kind, { model, rows, length, steps });
}

/** How TRL's trainer is told to work. */
export const trlWays = ["DEFAULTS", "FASTEST"] as const;

/** The steps of TRL's own DPO trainer, of a model of the same config. */
export async function trlSteps(
  torch: Python,
  way: (typeof trlWays)[number],
  { model, pairs, length, steps }: PolicyLoad,
): Promise<TimedSteps> {
  return peerSteps(torch, "trl-dpo.py", way, { model, rows: pairs, length, steps });
}

interface PeerLoad {
  model: string;
  rows: number;
  length: number;
  steps: number;
}

async function peerSteps({ python }: Python, script: string, kind: string, { model, rows, length, steps }: PeerLoad): Promise<TimedSteps> {
  const folder = mkdtempSync(join(tmpdir(), "bonsai-torch-"));
  try {
    const file = openModel(model);
    file.weights.close();
    writeFileSync(join(folder, "config.json"), JSON.stringify(file.config));
    const words = [kind, folder, rows, length, steps, availableParallelism(), loraRank, loraTargets.join(",")];
    return await timedProcess(python, [fileURLToPath(new URL(script, import.meta.url)), ...words.map(String)], {});
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
