/**
 * @file onnxruntime-genai beside us: the Python that has it, which BONSAI_GENAI_PYTHON names, and SmolLM2 as its
 * builder makes it.
 */

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { startAnswerProcess, type AnswerProcess } from "./answer-process.ts";
import { findPython } from "./python.ts";
import { findSmolLM2Onnx } from "./smollm2-onnx.ts";

export interface Genai {
  python: string;
  version: string;
  /** The folder of its model. */
  folder: string;
}

/** Undefined, and a line that says what to do, where it or its model is absent. */
export function findGenai(say: (line: string) => void): Genai | undefined {
  const peer = "onnxruntime-genai";
  const found = findPython({ peer, variable: "BONSAI_GENAI_PYTHON", packages: ["onnxruntime_genai", "onnxruntime"] }, say);
  const folder = found && findSmolLM2Onnx("genai", peer, say);
  if (found === undefined || folder === undefined) return undefined;
  const { onnxruntime_genai: version, onnxruntime } = found.versions;
  return { python: found.python, version: `${version} (onnxruntime ${onnxruntime})`, folder };
}

export async function startGenai({ python, folder }: Genai): Promise<AnswerProcess> {
  const program = fileURLToPath(new URL("genai-answers.py", import.meta.url));
  return startAnswerProcess(python, [program, folder, String(availableParallelism())]);
}
