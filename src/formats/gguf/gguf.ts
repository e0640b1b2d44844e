/**
 * @file The container of a GGUF file, versions 2 and 3: header, metadata and table of tensors, all bounded by the
 * file's size.
 *
 * Source: ggml/docs/gguf.md of llama.cpp ("File Structure"). All numbers are little-endian.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { dtypes, type DType } from "../../tensor/dtype.ts";
import type { BoundedFile } from "../bounded-file.ts";
import { GgufCursor, GgufMetadata, type GgufValue } from "./gguf-metadata.ts";

const MAGIC = 0x46554747; // "GGUF"
const DEFAULT_ALIGNMENT = 32;
const LARGEST_ALIGNMENT = 2 ** 20;
/** Far above any model; they bound what the table costs in memory. */
const MOST_METADATA = 2 ** 16;
const MOST_TENSORS = 2 ** 16;
/** The specification's limits. */
const LARGEST_KEY_BYTES = 2 ** 16 - 1;
const LARGEST_NAME_BYTES = 64;
const MOST_DIMENSIONS = 4;
/** Key length, empty key, value type, value of one byte. */
const LEAST_METADATA_BYTES = 8 + 4 + 1;
/** Name length, dimension count, one dimension, type, offset. */
const LEAST_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8;

/** `ggml_type` numbers of the types that are read. */
const typeNumbers: Readonly<Record<number, DType>> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  6: "Q5_0",
  7: "Q5_1",
  8: "Q8_0",
  12: "Q4_K",
  13: "Q5_K",
  14: "Q6_K",
  28: "F64",
  30: "BF16",
};

/** Names of well-known types that are not read, for the message. */
const unreadTypes: Readonly<Record<number, string>> = {
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

export interface GgufTensor {
  name: string;
  dtype: DType;
  /** Row-major, outermost first: the reverse of the file's order. */
  shape: readonly number[];
  /** Byte position in the file. */
  offset: number;
  byteLength: number;
}

export interface GgufFile {
  version: number;
  metadata: GgufMetadata;
  /** In the file's order. */
  tensors: ReadonlyMap<string, GgufTensor>;
}

/**
 * Reads and checks everything before the tensors' data; the data is not touched.
 * @throws BonsaiError `invalid_model_file` that names the byte offset or tensor when the file is truncated, damaged or
 * hostile; `unsupported_model` for another version, byte order or tensor type.
 */
export function readGguf(file: BoundedFile): GgufFile {
  const cursor = new GgufCursor(file);
  const magic = cursor.uint32("the magic number");
  if (magic !== MAGIC) cursor.fail(0, `the file does not begin with "GGUF".`);
  const version = readVersion(cursor, file.path);
  const tensorCount = cursor.count("the number of tensors", LEAST_TENSOR_BYTES, MOST_TENSORS);
  const metadataCount = cursor.count("the number of metadata pairs", LEAST_METADATA_BYTES, MOST_METADATA);

  const values = new Map<string, GgufValue>();
  for (let index = 0; index < metadataCount; index++) {
    const offset = cursor.position;
    const key = cursor.string(`metadata key ${index}`, LARGEST_KEY_BYTES);
    if (values.has(key)) cursor.fail(offset, `metadata ${JSON.stringify(key)} occurs twice.`);
    values.set(key, cursor.value(`metadata ${JSON.stringify(key)}`));
  }
  const metadata = new GgufMetadata(file.path, values);
  const alignment = metadata.integer("general.alignment", 1) ?? DEFAULT_ALIGNMENT;
  if (alignment > LARGEST_ALIGNMENT || alignment % 8 !== 0)
    metadata.fail("general.alignment", `is ${alignment}; it must be a multiple of 8 up to ${LARGEST_ALIGNMENT}.`);

  const tensors = new Map<string, GgufTensor>();
  for (let index = 0; index < tensorCount; index++) {
    const offset = cursor.position;
    const tensor = readTensorInfo(cursor, file.path, index, alignment);
    if (tensors.has(tensor.name)) cursor.fail(offset, `tensor ${JSON.stringify(tensor.name)} occurs twice.`);
    tensors.set(tensor.name, tensor);
  }
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  for (const tensor of tensors.values()) tensor.offset += dataStart;
  checkRanges(tensors, file);
  return { version, metadata, tensors };
}

function readVersion(cursor: GgufCursor, path: string): number {
  const version = cursor.uint32("the version");
  if (version === 2 || version === 3) return version;
  const isBigEndian = version !== 0 && (version & 0xffff) === 0;
  const what = isBigEndian ? "the file is big-endian" : `the file has GGUF version ${version}`;
  throw new BonsaiError("unsupported_model", `${path}: at byte 4: ${what}; supported are versions 2 and 3, little-endian.`);
}

/** One row of the table; the offset is still relative to the start of the data. */
function readTensorInfo(cursor: GgufCursor, path: string, index: number, alignment: number): GgufTensor {
  const name = cursor.string(`the name of tensor ${index}`, LARGEST_NAME_BYTES);
  const label = `tensor ${JSON.stringify(name)}`;
  let at = cursor.position;
  const dimensionCount = cursor.uint32(`the number of dimensions of ${label}`);
  if (dimensionCount < 1 || dimensionCount > MOST_DIMENSIONS)
    cursor.fail(at, `${label} has ${dimensionCount} dimensions instead of 1 to ${MOST_DIMENSIONS}.`);
  const shape: number[] = [];
  let valueCount = 1;
  for (let dimension = 0; dimension < dimensionCount; dimension++) {
    at = cursor.position;
    const size = Number(cursor.uint64(`dimension ${dimension} of ${label}`));
    if (size === 0) cursor.fail(at, `dimension ${dimension} of ${label} is 0.`);
    valueCount *= size;
    if (!Number.isSafeInteger(size) || !Number.isSafeInteger(valueCount))
      cursor.fail(at, `${label} has more values than any file can hold.`);
    shape.unshift(size);
  }

  at = cursor.position;
  const typeNumber = cursor.uint32(`the type of ${label}`);
  const dtype = typeNumbers[typeNumber];
  if (dtype === undefined) {
    const supported = Object.values(typeNumbers).join(", ");
    throw new BonsaiError(
      "unsupported_model",
      `${path}: at byte ${at}: ${label} has type ${unreadTypes[typeNumber] ?? typeNumber}; supported are ${supported}.`,
    );
  }
  const { blockSize, blockBytes } = dtypes[dtype];
  const rowLength = shape.at(-1)!;
  if (rowLength % blockSize !== 0)
    cursor.fail(at, `${label} has rows of ${rowLength} values, which are not whole ${dtype} blocks of ${blockSize}.`);

  at = cursor.position;
  const offset = Number(cursor.uint64(`the offset of ${label}`));
  if (offset % alignment !== 0)
    cursor.fail(at, `${label} has the offset ${offset}, which is not a multiple of the alignment ${alignment}.`);
  return { name, dtype, shape, offset, byteLength: (valueCount / blockSize) * blockBytes };
}

/** Every tensor lies inside the file and on no other one. */
function checkRanges(tensors: ReadonlyMap<string, GgufTensor>, file: BoundedFile): void {
  let previous: GgufTensor | undefined;
  for (const tensor of [...tensors.values()].toSorted((a, b) => a.offset - b.offset)) {
    const label = `tensor ${JSON.stringify(tensor.name)}`;
    if (!(tensor.offset + tensor.byteLength <= file.size)) {
      throw new BonsaiError(
        "invalid_model_file",
        `${file.path}: ${label} takes bytes ${tensor.offset} to ${tensor.offset + tensor.byteLength}, but the file has ${file.size}; it is truncated or damaged.`,
      );
    }
    if (previous !== undefined && previous.offset + previous.byteLength > tensor.offset) {
      throw new BonsaiError(
        "invalid_model_file",
        `${file.path}: ${label} at byte ${tensor.offset} overlaps tensor ${JSON.stringify(previous.name)}.`,
      );
    }
    previous = tensor;
  }
}
