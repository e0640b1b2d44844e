/** @file The one data file that the graphs of a model point into: weights are appended once, by key, and mapped by every session. */

import { closeSync, openSync, writeSync } from "node:fs";
import { basename } from "node:path";
import type { ElementArray } from "./data-type.ts";
import type { InitializerData } from "./graph.ts";

/** Alignment of each tensor: a cache line, which the widest vector loads need too. */
const alignment = 64;

export class ExternalDataWriter {
  /** The file's name without its folder, as graphs beside it call it. */
  readonly fileName: string;
  readonly #file: number;
  readonly #written = new Map<string, InitializerData>();
  #offset = 0;

  constructor(path: string) {
    this.fileName = basename(path);
    this.#file = openSync(path, "w");
  }

  get byteLength(): number {
    return this.#offset;
  }

  /** Appends the tensor that `make` gives, unless one was written under this key before. */
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
    while (written < bytes.byteLength) written += writeSync(this.#file, bytes, written);
    this.#offset += bytes.byteLength;
  }
}
