/** @file Writes one .safetensors file (its format: safetensors.ts), a tensor at a time. */

import type { DType } from "../../tensor/dtype.ts";
import { bytesOfType } from "./safetensors.ts";
import { writeWholeFile } from "../written-file.ts";

export interface TensorToWrite {
  name: string;
  dtype: Extract<DType, "F64" | "F32" | "F16" | "BF16">;
  shape: readonly number[];
  /** The values' bytes, little-endian, or what gives them when their turn to be written comes. */
  bytes: Uint8Array | (() => Uint8Array);
}

/**
 * Writes a .safetensors file, whole or not at all, with at most one lazily given tensor in memory. The tensors follow
 * each other as in the reference writer, wider types first and then by name, so that each lies on a multiple of its
 * values' size and equal tensors give equal files.
 * @throws RangeError when a tensor's bytes do not fit its shape or a name occurs twice; BonsaiError `write_failed`.
 */
export function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): void {
  const sorted = tensors.toSorted(
    (a, b) => bytesOfType[b.dtype]! - bytesOfType[a.dtype]! || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const header: Record<string, unknown> = Object.assign(Object.create(null) as object, { __metadata__: metadata });
  let offset = 0;
  for (const tensor of sorted) {
    const { name, dtype, shape } = tensor;
    if (Object.hasOwn(header, name)) throw new RangeError(`tensor ${name} is given twice`);
    if (tensor.bytes instanceof Uint8Array) requireFit(tensor, tensor.bytes);
    const length = byteLengthOf(tensor);
    header[name] = { dtype, shape, data_offsets: [offset, offset + length] };
    offset += length;
  }
  const text = Buffer.from(JSON.stringify(header));
  // Padding by spaces puts the data on 8 bytes, as the reference writer does.
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeWholeFile(
    path,
    (function* pieces(): Generator<Uint8Array> {
      yield length;
      yield padded;
      for (const tensor of sorted) {
        const bytes = tensor.bytes instanceof Uint8Array ? tensor.bytes : tensor.bytes();
        requireFit(tensor, bytes);
        yield bytes;
      }
    })(),
  );
}

function byteLengthOf({ dtype, shape }: TensorToWrite): number {
  return shape.reduce((product, size) => product * size, bytesOfType[dtype]!);
}

function requireFit(tensor: TensorToWrite, bytes: Uint8Array): void {
  if (bytes.byteLength === byteLengthOf(tensor)) return;
  throw new RangeError(
    `tensor ${tensor.name}: ${bytes.byteLength} bytes do not hold ${tensor.dtype} of shape [${tensor.shape.join(", ")}]`,
  );
}
