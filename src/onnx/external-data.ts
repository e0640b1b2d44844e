/**
 * @file The one data file that the graphs of a model point into: weights are appended once, by key, and mapped by every
 * session.
 */

import { closeSync, openSync, writeSync } from "node:fs";
import { basename } from "node:path";
import { refusedWrite } from "../errors/refused-write.ts";
import type { ElementArray } from "./data-type.ts";
import type { InitializerData } from "./graph.ts";

/** Alignment of each tensor: a cache line, which the widest vector loads need too. */
const alignment = 64;

export class ExternalDataWriter {
  /** The file's name without its folder, as graphs beside it call it. */
  readonly fileName: string;
  readonly #path: string;
  readonly #file: number;
  readonly #written = new Map<string, InitializerData>();
  #offset = 0;

  /** @throws BonsaiError `write_failed` naming the file, as `add`. */
  constructor(path: string) {
    this.fileName = basename(path);
    this.#path = path;
    this.#file = this.#onDisk(() => openSync(path, "w"));
  }

  get byteLength(): number {
    return this.#offset;
  }

  /**
   * Appends the tensor that `make` gives, unless one was written under this key before.
   * @throws BonsaiError `write_failed` naming the file, where the system refuses (no space, no permission).
   */
  add(key: string, make: () => ElementArray): InitializerData {
    const existing = this.#written.get(key);
    if (existing !== undefined) return existing;
    const { buffer, byteOffset, byteLength } = make();
    this.#write(new Uint8Array(alignment * Math.ceil(this.#offset / alignment) - this.#offset));
    const data: InitializerData = { kind: "external", offset: this.#offset, length: byteLength };
    this.#write(new Uint8Array(buffer, byteOffset, byteLength));
    this.#written.set(key, data);
    return data;
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(bytes: Uint8Array): void {
    let written = 0;
    while (written < bytes.byteLength) written += this.#onDisk(() => writeSync(this.#file, bytes, written));
    this.#offset += bytes.byteLength;
  }

  #onDisk<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw refusedWrite(this.#path, cause);
    }
  }
}
