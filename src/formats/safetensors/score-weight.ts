/** @file The head of a reward model: score.weight and, of a policy's head, score.bias in score.safetensors. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { BoundedFile } from "../bounded-file.ts";
import { readSafetensorsHeader, type SafetensorsEntry } from "./safetensors.ts";
import { readFiniteFloats } from "./safetensors-floats.ts";
import { pathInFolder } from "./safetensors-weights.ts";

/** What a reward model has in place of the language model's head. */
export interface ScoreWeight {
  /** [outputs, inputs], row-major. */
  weight: Float32Array<ArrayBuffer>;
  outputs: number;
  inputs: number;
  /** [outputs]; heads of decoders have none. */
  bias?: Float32Array<ArrayBuffer> | undefined;
}

export const scoreFile = "score.safetensors";

/** Reads a tensor as a head's weight. Throws `invalid_model_file` or `unsupported_model`, naming it. */
export function readScoreWeight(file: BoundedFile, entry: SafetensorsEntry): ScoreWeight {
  const [outputs, inputs] = entry.shape;
  if (entry.shape.length !== 2 || outputs === undefined || inputs === undefined)
    throw new BonsaiError("invalid_model_file", `${file.path}: tensor ${JSON.stringify(entry.name)} must be a matrix.`);
  return { weight: readFiniteFloats(file, entry), outputs, inputs };
}

/**
 * Reads `folder`'s score.safetensors: score.weight [outputs, inputs] and score.bias [outputs].
 * @throws BonsaiError `file_not_found`; `invalid_model_file` or `unsupported_model`, naming the tensor
 */
export function readScoreFile(folder: string): ScoreWeight {
  const file = new BoundedFile(pathInFolder(folder, scoreFile));
  try {
    const { entries } = readSafetensorsHeader(file);
    const entryOf = (name: string): SafetensorsEntry => {
      const entry = entries.get(name);
      if (entry === undefined) throw new BonsaiError("invalid_model_file", `${file.path} has no tensor ${JSON.stringify(name)}.`);
      return entry;
    };
    return { ...readScoreWeight(file, entryOf("score.weight")), bias: readFiniteFloats(file, entryOf("score.bias")) };
  } finally {
    file.close();
  }
}
