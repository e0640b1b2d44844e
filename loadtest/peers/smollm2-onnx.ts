/**
 * @file SmolLM2 as graphs that peers of ONNX Runtime run: the folder that BONSAI_SMOLLM2_ONNX names, which
 * smollm2-onnx.py makes.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * Undefined, and a line that says what to do, where there is none.
 * @param layout whose graph it is
 * @throws Error where the variable names a folder without it
 */
export function findSmolLM2Onnx(layout: "genai" | "transformers-js", peer: string, say: (line: string) => void): string | undefined {
  const folder = process.env["BONSAI_SMOLLM2_ONNX"];
  if (folder === undefined || folder === "") {
    say(`${peer} is left out: set BONSAI_SMOLLM2_ONNX to the folder that loadtest/peers/smollm2-onnx.py has made.`);
    return undefined;
  }
  const path = join(folder, layout);
  if (!existsSync(path)) throw new Error(`BONSAI_SMOLLM2_ONNX: ${path} does not exist. loadtest/peers/smollm2-onnx.py makes it.`);
  return path;
}
