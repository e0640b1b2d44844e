/**
 * @file Small tensors of a safetensors file whose every value is checked: adapters' factors and reward models' heads.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { dequantize } from "../../tensor/blocks.ts";
import { dtypes } from "../../tensor/dtype.ts";
import type { BoundedFile } from "../bounded-file.ts";
import { isWeightType, type SafetensorsEntry } from "./safetensors.ts";

/** Far beyond any factor that was trained; it bounds what products with inputs can reach. */
const largestFactor = 1e18;

/**
 * The values of a tensor of floats.
 * @throws BonsaiError `unsupported_model` for another type; `invalid_model_file`, naming the tensor, where a value is
 * not finite
 */
export function readFiniteFloats(file: BoundedFile, entry: SafetensorsEntry): Float32Array<ArrayBuffer> {
  if (!isWeightType(entry.dtype))
    throw new BonsaiError("unsupported_model", `${file.path}: tensor ${JSON.stringify(entry.name)} has type ${entry.dtype}, no float.`);
  const bytes = file.read(entry.offset, entry.byteLength, `tensor ${JSON.stringify(entry.name)}`);
  const values = dequantize(entry.dtype, bytes, bytes.byteLength / dtypes[entry.dtype].blockBytes);
  const wrong = values.find((value) => !(Math.abs(value) <= largestFactor));
  if (wrong !== undefined)
    throw new BonsaiError(
      "invalid_model_file",
      `${file.path}: tensor ${JSON.stringify(entry.name)} holds ${wrong}; its numbers must be finite and at most ${largestFactor}.`,
    );
  return values;
}
