/**
 * @file One .safetensors file: a bounded reader of its header.
 *
 * The format (huggingface/safetensors, "Format" of its README): a little-endian u64 header length, that many bytes of
 * JSON `{name: {dtype, shape, data_offsets: [begin, end]}}` with an optional `__metadata__` of strings, then the data,
 * which the tensors cover without gaps or overlaps.
 */

import { isUtf8 } from "node:buffer";

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { BoundedFile } from "../bounded-file.ts";
import { inspectJson, isJsonObject, placeOfJsonError } from "../json-file.ts";

/** The specification's limit on the header. */
const LARGEST_HEADER_BYTES = 100_000_000;
/** `{name: {shape: []}}`: checked before parsing, because deep nesting takes many times its bytes in memory. */
const DEEPEST_HEADER = 3;
/** No model has more dimensions; it bounds the product's cost. */
const MOST_DIMENSIONS = 8;

/** Bytes of one value for every type of the specification, also those that no weight of ours has. */
// prettier-ignore
export const bytesOfType: Readonly<Record<string, number>> = {
  BOOL: 1, U8: 1, I8: 1, F8_E5M2: 1, F8_E4M3: 1, F8_E8M0: 1, I16: 2, U16: 2, F16: 2, BF16: 2,
  I32: 4, U32: 4, F32: 4, I64: 8, U64: 8, F64: 8, C64: 8,
};

/** The types that can hold weights here; the specification's names are also ours. */
const weightTypes: ReadonlySet<string> = new Set<DType>(["F64", "F32", "F16", "BF16"]);

export interface SafetensorsEntry {
  name: string;
  /** The type's name in the file; a `DType` when `isWeightType(dtype)`. */
  dtype: string;
  shape: readonly number[];
  /** Byte position in the file. */
  offset: number;
  byteLength: number;
}

export interface SafetensorsHeader {
  entries: ReadonlyMap<string, SafetensorsEntry>;
  metadata: Readonly<Record<string, string>>;
}

/** Whether weights of this type can be read: F64, F32, F16 or BF16. */
export function isWeightType(dtype: string): dtype is DType {
  return weightTypes.has(dtype);
}

/**
 * Reads and checks the header of a file; the data is not touched.
 * @throws BonsaiError `invalid_model_file` that names the tensor or offset when the file is truncated, damaged or
 * hostile; `unsupported_model` for a type that the specification does not know.
 */
export function readSafetensorsHeader(file: BoundedFile): SafetensorsHeader {
  const fail = (message: string, cause?: unknown): never => {
    throw new BonsaiError("invalid_model_file", `${file.path}: ${message}`, { cause });
  };
  const prefix = file.read(0, 8, "the header's length");
  const headerBytes = new DataView(prefix.buffer).getBigUint64(0, true);
  if (headerBytes > BigInt(Math.min(LARGEST_HEADER_BYTES, file.size - 8))) {
    fail(`the header at byte 8 claims ${headerBytes} bytes, but the file has ${file.size} and a header at most ${LARGEST_HEADER_BYTES}.`);
  }
  const dataStart = 8 + Number(headerBytes);
  const bytes = file.read(8, Number(headerBytes), "the header");
  if (!isUtf8(bytes)) fail("the header at byte 8 is not UTF-8.");
  const text = Buffer.from(bytes.buffer).toString("utf8");
  const { depth, duplicateKey } = inspectJson(text);
  if (depth > DEEPEST_HEADER) fail(`the header at byte 8 is nested ${depth} deep instead of ${DEEPEST_HEADER}.`);
  if (duplicateKey !== undefined) fail(`tensor ${JSON.stringify(duplicateKey)} occurs twice in the header.`);
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    fail(`the header at byte 8 is not JSON${placeOfJsonError(cause)}`, cause);
  }
  if (!isJsonObject(header)) return fail("the header at byte 8 is not a JSON object.");

  let metadata: Record<string, string> = {};
  const entries = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") {
      if (!isJsonObject(value) || Object.values(value).some((item) => typeof item !== "string"))
        fail("__metadata__ is not an object of strings.");
      metadata = value as Record<string, string>;
    } else {
      entries.set(name, checkedEntry(name, value, dataStart, fail));
    }
  }

  let next = dataStart;
  for (const entry of [...entries.values()].toSorted((a, b) => a.offset - b.offset || a.byteLength - b.byteLength)) {
    if (entry.offset !== next) {
      fail(
        `tensor ${JSON.stringify(entry.name)} begins at byte ${entry.offset} instead of ${next}: tensors must follow each other without gaps or overlaps.`,
      );
    }
    next = entry.offset + entry.byteLength;
  }
  if (next !== file.size) fail(`the tensors end at byte ${next}, but the file has ${file.size} bytes; it is truncated or damaged.`);
  return { entries, metadata };
}

function checkedEntry(name: string, value: unknown, dataStart: number, fail: (message: string) => never): SafetensorsEntry {
  const label = `tensor ${JSON.stringify(name)}`;
  if (!isJsonObject(value)) return fail(`${label} is not described by an object.`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string") return fail(`${label} has no dtype.`);
  if (!Array.isArray(shape) || shape.length > MOST_DIMENSIONS || !shape.every(isCount)) {
    return fail(`${label}: the shape must be at most ${MOST_DIMENSIONS} whole numbers.`);
  }
  const valueBytes = Object.hasOwn(bytesOfType, dtype) ? bytesOfType[dtype] : undefined;
  if (valueBytes === undefined) {
    throw new BonsaiError(
      "unsupported_model",
      `${label} has the unknown type ${JSON.stringify(dtype)}; weights can be ${[...weightTypes].join(", ")}.`,
    );
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    return fail(`${label}: data_offsets must be two whole numbers.`);
  const [begin, end] = offsets as [number, number];
  const byteLength = shape.reduce((product: number, size: number) => product * size, valueBytes);
  if (!Number.isSafeInteger(byteLength) || end - begin !== byteLength) {
    return fail(
      `${label}: data_offsets [${begin}, ${end}] do not hold ${dtype} of shape [${shape.join(", ")}], which takes ${byteLength} bytes.`,
    );
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
