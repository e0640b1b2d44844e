/** @file A copied chunk of keys and values on the CPU, freed with its last reference. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { CachePage } from "../device.ts";
import type { KvRows } from "./kv-segment.ts";

export class CpuPage implements CachePage {
  readonly byteLength: number;
  #rows: KvRows | undefined;
  #references = 1;

  constructor(rows: KvRows) {
    this.#rows = rows;
    this.byteLength = rows.keys.byteLength + rows.values.byteLength;
  }

  /** Throws `internal` once the page is freed. */
  get rows(): KvRows {
    if (this.#rows === undefined)
      throw new BonsaiError("internal", "A page of keys and values was used after its last reference was released.");
    return this.#rows;
  }

  retain(): void {
    if (this.rows !== undefined) this.#references++;
  }

  release(): void {
    if (this.rows !== undefined && --this.#references === 0) this.#rows = undefined;
  }
}
