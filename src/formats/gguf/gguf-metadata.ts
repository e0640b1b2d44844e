/** @file The key-value metadata of a GGUF file: a bounded cursor over its bytes, and typed access to its values. */

import { isUtf8 } from "node:buffer";

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { BoundedFile } from "../bounded-file.ts";

/** Integers beyond 2^53 stay bigint. Arrays of booleans are bytes 0 and 1. */
export type GgufValue = number | bigint | boolean | string | readonly string[] | GgufNumericArray;

export type GgufNumericArray =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>;

/** How a fixed-size value type is read: `gguf_metadata_value_type` of ggml/docs/gguf.md, by its number. */
interface FixedType {
  bytes: number;
  scalar(view: DataView, at: number): number | bigint;
  array(buffer: ArrayBuffer): GgufNumericArray;
}

const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

const fixedTypes: Readonly<Record<number, FixedType>> = {
  0: { bytes: 1, scalar: (view, at) => view.getUint8(at), array: (buffer) => new Uint8Array(buffer) },
  1: { bytes: 1, scalar: (view, at) => view.getInt8(at), array: (buffer) => new Int8Array(buffer) },
  2: { bytes: 2, scalar: (view, at) => view.getUint16(at, true), array: (buffer) => new Uint16Array(buffer) },
  3: { bytes: 2, scalar: (view, at) => view.getInt16(at, true), array: (buffer) => new Int16Array(buffer) },
  4: { bytes: 4, scalar: (view, at) => view.getUint32(at, true), array: (buffer) => new Uint32Array(buffer) },
  5: { bytes: 4, scalar: (view, at) => view.getInt32(at, true), array: (buffer) => new Int32Array(buffer) },
  6: { bytes: 4, scalar: (view, at) => view.getFloat32(at, true), array: (buffer) => new Float32Array(buffer) },
  [BOOL]: { bytes: 1, scalar: (view, at) => view.getUint8(at), array: (buffer) => new Uint8Array(buffer) },
  10: { bytes: 8, scalar: (view, at) => view.getBigUint64(at, true), array: (buffer) => new BigUint64Array(buffer) },
  11: { bytes: 8, scalar: (view, at) => view.getBigInt64(at, true), array: (buffer) => new BigInt64Array(buffer) },
  12: { bytes: 8, scalar: (view, at) => view.getFloat64(at, true), array: (buffer) => new Float64Array(buffer) },
};

const WINDOW_BYTES = 2 ** 18;
/** The longest strings in use are chat templates of some 10 KB. */
const LARGEST_STRING_BYTES = 2 ** 24;

/**
 * Reads a GGUF file from front to back through a small window. Every length is checked against the bytes that remain
 * before it is used.
 */
export class GgufCursor {
  readonly #file: BoundedFile;
  readonly #window: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #windowStart = 0;
  #windowLength = 0;
  #position = 0;

  constructor(file: BoundedFile) {
    this.#file = file;
    this.#window = new Uint8Array(Math.min(WINDOW_BYTES, file.size));
    this.#view = new DataView(this.#window.buffer);
  }

  /** Byte offset of the next read. */
  get position(): number {
    return this.#position;
  }

  /** Throws `invalid_model_file` that names the file and the offset. */
  fail(offset: number, message: string): never {
    throw new BonsaiError("invalid_model_file", `${this.#file.path}: at byte ${offset}: ${message}`);
  }

  #require(length: number | bigint, what: string): void {
    const remaining = this.#file.size - this.#position;
    if (length <= remaining) return;
    this.fail(this.#position, `${what} needs ${length} bytes, but ${remaining} remain; the file is truncated or damaged.`);
  }

  /** Makes `length` bytes (at most a window) available and moves past them; returns where they begin in the window. */
  #take(length: number, what: string): number {
    this.#require(length, what);
    if (this.#position < this.#windowStart || this.#position + length > this.#windowStart + this.#windowLength) {
      this.#windowStart = this.#position;
      this.#windowLength = Math.min(this.#window.byteLength, this.#file.size - this.#position);
      this.#file.readInto(this.#window.subarray(0, this.#windowLength), this.#windowStart, what);
    }
    const at = this.#position - this.#windowStart;
    this.#position += length;
    return at;
  }

  uint32(what: string): number {
    return this.#view.getUint32(this.#take(4, what), true);
  }

  uint64(what: string): bigint {
    return this.#view.getBigUint64(this.#take(8, what), true);
  }

  /** A u64 that counts things of at least `leastBytes` each: it must fit the rest of the file and the limit. */
  count(what: string, leastBytes: number, limit: number): number {
    const offset = this.#position;
    const count = this.uint64(what);
    if (count > BigInt(limit)) this.fail(offset, `${what} is ${count}, more than the ${limit} that are read.`);
    const remaining = this.#file.size - this.#position;
    if (Number(count) * leastBytes > remaining)
      this.fail(offset, `${what} is ${count}, which needs at least ${Number(count) * leastBytes} bytes, but ${remaining} remain.`);
    return Number(count);
  }

  /** A u64 length and that many bytes of UTF-8. */
  string(what: string, largestBytes = LARGEST_STRING_BYTES): string {
    const offset = this.#position;
    const length = this.count(`the length of ${what}`, 1, largestBytes);
    let bytes: Uint8Array<ArrayBuffer>;
    if (length <= this.#window.byteLength) {
      const at = this.#take(length, what);
      bytes = this.#window.subarray(at, at + length);
    } else {
      bytes = this.#file.read(this.#position, length, what);
      this.#position += length;
    }
    if (!isUtf8(bytes)) this.fail(offset + 8, `${what} is not UTF-8.`);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  }

  /** A value type and the value. */
  value(key: string): GgufValue {
    const offset = this.#position;
    const type = this.uint32(`the type of ${key}`);
    if (type === STRING) return this.string(key);
    if (type === ARRAY) return this.#array(key);
    const fixed = fixedTypes[type];
    if (fixed === undefined) return this.fail(offset, `${key} has the unknown value type ${type}.`);
    const value = fixed.scalar(this.#view, this.#take(fixed.bytes, key));
    if (type === BOOL) {
      if (value !== 0 && value !== 1) this.fail(offset + 4, `${key} is a boolean of value ${value}.`);
      return value === 1;
    }
    return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  #array(key: string): GgufValue {
    const offset = this.#position;
    const type = this.uint32(`the element type of ${key}`);
    if (type === ARRAY) this.fail(offset, `${key} is an array of arrays, which no model uses.`);
    if (type === STRING) {
      const count = this.count(`the length of ${key}`, 8, Number.MAX_SAFE_INTEGER);
      const strings: string[] = [];
      for (let index = 0; index < count; index++) strings.push(this.string(key));
      return strings;
    }
    const fixed = fixedTypes[type];
    if (fixed === undefined) return this.fail(offset, `${key} is an array of the unknown value type ${type}.`);
    const count = this.count(`the length of ${key}`, fixed.bytes, Number.MAX_SAFE_INTEGER);
    const bytes = this.#file.read(this.#position, count * fixed.bytes, key);
    this.#position += bytes.byteLength;
    return fixed.array(bytes.buffer);
  }
}

/** The metadata of one file. Each getter says which key is at fault when its value is not of the kind asked for. */
export class GgufMetadata {
  readonly #path: string;
  readonly #values: ReadonlyMap<string, GgufValue>;

  constructor(path: string, values: ReadonlyMap<string, GgufValue>) {
    this.#path = path;
    this.#values = values;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  get(key: string): GgufValue | undefined {
    return this.#values.get(key);
  }

  keys(): Iterable<string> {
    return this.#values.keys();
  }

  /** Throws `invalid_model_file` about a key. */
  fail(key: string, message: string): never {
    throw new BonsaiError("invalid_model_file", `${this.#path}: metadata ${key} ${message}`);
  }

  /** Throws `unsupported_model` about a key. */
  unsupported(key: string, message: string): never {
    throw new BonsaiError("unsupported_model", `${this.#path}: metadata ${key} ${message}`);
  }

  string(key: string): string | undefined {
    const value = this.#values.get(key);
    return value === undefined || typeof value === "string" ? value : this.fail(key, "is not a string.");
  }

  boolean(key: string): boolean | undefined {
    const value = this.#values.get(key);
    return value === undefined || typeof value === "boolean" ? value : this.fail(key, "is not a boolean.");
  }

  /** A finite number. */
  number(key: string): number | undefined {
    const value = this.#values.get(key);
    if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return value;
    return this.fail(key, "is not a finite number.");
  }

  /** An integer of at least `least`; an array whose elements all agree counts as one. */
  integer(key: string, least = 0): number | undefined {
    let value = this.#values.get(key);
    if (ArrayBuffer.isView(value)) {
      const first = value[0];
      for (const element of value) if (element !== first) this.unsupported(key, "differs from layer to layer, which is not supported.");
      value = first;
    }
    if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value) && value >= least)) return value;
    return this.fail(key, `is not an integer of at least ${least}.`);
  }

  strings(key: string): readonly string[] | undefined {
    const value = this.#values.get(key);
    return value === undefined || Array.isArray(value)
      ? (value as readonly string[] | undefined)
      : this.fail(key, "is not an array of strings.");
  }

  numbers(key: string): Exclude<GgufNumericArray, BigUint64Array | BigInt64Array> | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    if (!ArrayBuffer.isView(value) || value instanceof BigUint64Array || value instanceof BigInt64Array)
      return this.fail(key, "is not an array of numbers.");
    return value;
  }
}
