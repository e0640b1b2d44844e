/** @file PyTorch beside us: the Python that has torch, transformers and peft, which BONSAI_TORCH_PYTHON names. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModel } from "../../../src/formats/open-model.ts";
import type { PolicyLoad } from "../load/policy-steps.ts";
import { loraRank, loraTargets, timedProcess, type TimedSteps, type TrainingLoad } from "../load/training-steps.ts";

export interface Torch {
  python: string;
  versions: Record<string, string>;
}

/**
 * Undefined, and a line that says what to do, where PyTorch is absent.
 * @param packages that are needed, by the names that Python imports them by
 */
export function findTorch(say: (line: string) => void, packages: readonly string[] = ["torch", "transformers", "peft"]): Torch | undefined {
  const python = process.env["BONSAI_TORCH_PYTHON"];
  if (python === undefined || python === "") {
    say(`PyTorch is left out: set BONSAI_TORCH_PYTHON to a Python with ${packages.join(", ")} to measure it in turns with us.`);
    return undefined;
  }
  const program = `import json; from importlib.metadata import version; import ${packages.join(", ")}; print(json.dumps({name: version(name) for name in ${JSON.stringify(packages)}}))`;
  const output = execFileSync(python, ["-c", program], { encoding: "utf8" });
  return { python, versions: JSON.parse(output.trim().split("\n").at(-1) as string) as Record<string, string> };
}

/** The steps of the same load, of a model of the same config. */
export async function torchSteps(torch: Torch, { kind, model, rows, length, steps }: TrainingLoad): Promise<TimedSteps> {
  return peerSteps(torch, "torch-train.py", kind, { model, rows, length, steps });
}

/** How TRL's trainer is told to work. */
export const trlWays = ["DEFAULTS", "FASTEST"] as const;

/** The steps of TRL's own DPO trainer, of a model of the same config. */
export async function trlSteps(
  torch: Torch,
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

async function peerSteps({ python }: Torch, script: string, kind: string, { model, rows, length, steps }: PeerLoad): Promise<TimedSteps> {
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
