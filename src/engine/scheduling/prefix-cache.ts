/** @file Keys and values of prompt chunks, kept between requests: a request whose prompt begins alike computes only the rest. */

import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { CachePage } from "../../runtime/device.ts";

/**
 * Only full chunks are kept, each under the hash of everything before it and of itself. A chunk is what a prefill computed for exactly
 * these tokens at exactly this place, so a hit gives the bits that computing again would.
 */
export class PrefixCache {
  readonly #pages: LRUCache<string, CachePage> | undefined;

  /** @param maxBytes 0 keeps nothing */
  constructor(maxBytes: number) {
    this.#pages = maxBytes === 0 ? undefined : new LRUCache({ maxSize: maxBytes, sizeCalculation: (page) => page.byteLength });
  }

  get byteLength(): number {
    return this.#pages?.calculatedSize ?? 0;
  }

  /** The pages of the longest run of chunks that are all here. */
  match(keys: readonly string[]): CachePage[] {
    const found: CachePage[] = [];
    for (const key of keys) {
      const page = this.#pages?.get(key);
      if (page === undefined) break;
      found.push(page);
    }
    return found;
  }

  /** Keeps a page; `read` copies it, and is called only for one that is not here yet and fits. */
  keep(key: string, byteLength: number, read: () => CachePage): void {
    if (this.#pages === undefined || byteLength > this.#pages.maxSize || this.#pages.has(key)) return;
    this.#pages.set(key, read());
  }
}

/** A key for each full chunk of a prompt, in order. */
export function chunkKeys(scope: string, ids: readonly number[], chunkTokens: number): string[] {
  const keys: string[] = [];
  let parent = scope;
  for (let start = 0; start + chunkTokens <= ids.length; start += chunkTokens) {
    const chunk = Int32Array.from(ids.slice(start, start + chunkTokens));
    parent = createHash("sha256").update(parent).update(new Uint8Array(chunk.buffer)).digest("base64");
    keys.push(parent);
  }
  return keys;
}
