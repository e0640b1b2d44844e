/**
 * @file A file that is read by position and never beyond its size: no length from the file is believed before it is
 * checked here.
 */

import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { Hash } from "node:crypto";

import { BonsaiError } from "../errors/bonsai-error.ts";

/** One read call's worth: Linux moves at most 2 GiB less a page at once. */
const LARGEST_READ_BYTES = 2 ** 30;
const HASH_CHUNK_BYTES = 2 ** 20;

export class BoundedFile {
  readonly path: string;
  /** Size in bytes when it was opened. */
  readonly size: number;
  #descriptor: number | undefined;

  /** @throws BonsaiError `file_not_found` when the path is absent, unreadable or not a regular file. */
  constructor(path: string) {
    this.path = path;
    try {
      // Asked before opening: to open a pipe would wait for its writer.
      if (statSync(path).isFile()) this.#descriptor = openSync(path, "r");
    } catch (cause) {
      throw new BonsaiError("file_not_found", `The file ${path} cannot be opened: ${(cause as Error).message}.`, { cause });
    }
    if (this.#descriptor === undefined) throw new BonsaiError("file_not_found", `${path} is not a regular file.`);
    this.size = fstatSync(this.#descriptor).size;
  }

  /**
   * Fills `target` from byte `offset` on.
   * @param what Names the part for the message, such as `tensor "a"`.
   * @throws BonsaiError `invalid_model_file` when the range is not wholly inside the file.
   */
  readInto(target: Uint8Array, offset: number, what: string): void {
    if (this.#descriptor === undefined) throw new Error(`${this.path} was read after it was closed`);
    this.#checkRange(offset, target.byteLength, what);
    let done = 0;
    while (done < target.byteLength) {
      const wanted = Math.min(target.byteLength - done, LARGEST_READ_BYTES);
      const count = readSync(this.#descriptor, target, done, wanted, offset + done);
      if (count === 0)
        throw new BonsaiError(
          "invalid_model_file",
          `${this.path} became shorter while it was read: ${what} ends early at byte ${offset + done}.`,
        );
      done += count;
    }
  }

  /** A fresh buffer of `length` bytes from byte `offset` on. Errors as `readInto`, before anything is allocated. */
  read(offset: number, length: number, what: string): Uint8Array<ArrayBuffer> {
    this.#checkRange(offset, length, what);
    const target = allocateBytes(length, what);
    this.readInto(target, offset, what);
    return target;
  }

  #checkRange(offset: number, length: number, what: string): void {
    if (Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0 && offset + length <= this.size) return;
    throw new BonsaiError(
      "invalid_model_file",
      `${this.path}: ${what} at byte ${offset} needs ${length} bytes, but the file has ${this.size}; it is truncated or damaged.`,
    );
  }

  /** Feeds the whole file to `hash`, in pieces. */
  hashInto(hash: Hash): void {
    const chunk = new Uint8Array(Math.min(HASH_CHUNK_BYTES, this.size));
    for (let offset = 0; offset < this.size; offset += chunk.byteLength) {
      const piece = chunk.subarray(0, Math.min(chunk.byteLength, this.size - offset));
      this.readInto(piece, offset, "the content");
      hash.update(piece);
    }
  }

  /** Closes the file; further reads fail. Closing twice does nothing. */
  close(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/**
 * A zeroed buffer. @throws BonsaiError `unsupported_model` when it is larger than this machine's JavaScript engine
 * gives.
 */
function allocateBytes(length: number, what: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new BonsaiError("unsupported_model", `No memory for ${length} bytes of ${what}: use a smaller model.`, { cause });
  }
}
