/** @file PyTorch beside us: the Python that has torch, transformers and peft, which BONSAI_TORCH_PYTHON names. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModel } from "../../../src/formats/open-model.ts";
import { loraRank, loraTargets, timedProcess, type TimedSteps, type TrainingLoad } from "../load/training-steps.ts";

export interface Torch {
  python: string;
  versions: Record<string, string>;
}

/** Undefined, and a line that says what to do, where PyTorch is absent. */
export function findTorch(say: (line: string) => void): Torch | undefined {
  const python = process.env["BONSAI_TORCH_PYTHON"];
  if (python === undefined || python === "") {
    say("PyTorch is left out: set BONSAI_TORCH_PYTHON to a Python with torch, transformers and peft to measure it in turns with us.");
    return undefined;
  }
  const program =
    "import json, peft, torch, transformers as t; print(json.dumps(dict(torch=torch.__version__, transformers=t.__version__, peft=peft.__version__)))";
  const output = execFileSync(python, ["-c", program], { encoding: "utf8" });
  return { python, versions: JSON.parse(output.trim().split("\n").at(-1) as string) as Record<string, string> };
}

/** The steps of the same load, of a model of the same config. */
export async function torchSteps({ python }: Torch, { kind, model, rows, length, steps }: TrainingLoad): Promise<TimedSteps> {
  const folder = mkdtempSync(join(tmpdir(), "bonsai-torch-"));
  try {
    const file = openModel(model);
    file.weights.close();
    writeFileSync(join(folder, "config.json"), JSON.stringify(file.config));
    const script = fileURLToPath(new URL("torch-train.py", import.meta.url));
    const words = [kind, folder, rows, length, steps, availableParallelism(), loraRank, loraTargets.join(",")];
    return await timedProcess(python, [script, ...words.map(String)], {});
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
