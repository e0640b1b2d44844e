/**
 * @file Keys and values of prompt chunks, kept between requests: a request whose prompt begins alike computes only the
 * rest.
 */

import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { CachePage, DecoderDevice, PromptCache } from "../../runtime/device.ts";

/**
 * Only full chunks are kept, each under the hash of everything before it and of itself. A chunk is what a prefill
 * computed for exactly these tokens at exactly this place, so a hit gives the bits that computing again would.
 */
export class PrefixCache {
  readonly #pages: LRUCache<string, CachePage> | undefined;

  /** @param maxBytes 0 keeps nothing */
  constructor(maxBytes: number) {
    const dispose = (page: CachePage): void => page.release();
    this.#pages = maxBytes === 0 ? undefined : new LRUCache({ maxSize: maxBytes, sizeCalculation: (page) => page.byteLength, dispose });
  }

  get byteLength(): number {
    return this.#pages?.calculatedSize ?? 0;
  }

  /** How many of the first chunks are here. */
  countMatching(keys: readonly string[]): number {
    const missing = keys.findIndex((key) => this.#pages?.has(key) !== true);
    return missing < 0 ? keys.length : missing;
  }

  /** The pages of the longest run of chunks that are all here. The caller has a reference to each, and releases it. */
  match(keys: readonly string[]): CachePage[] {
    const found: CachePage[] = [];
    for (const key of keys) {
      const page = this.#pages?.get(key);
      if (page === undefined) break;
      page.retain();
      found.push(page);
    }
    return found;
  }

  /** Keeps a page; `read` copies it, and is called only for one that is not here yet and fits. */
  async keep(key: string, byteLength: number, read: () => Promise<CachePage>): Promise<void> {
    if (this.#pages === undefined || byteLength > this.#pages.maxSize || this.#pages.has(key)) return;
    const page = await read();
    // Another prompt may have brought the same chunk meanwhile.
    if (this.#pages.has(key)) page.release();
    else this.#pages.set(key, page);
  }

  /**
   * Appends what is here of a prompt's chunks to its cache.
   * @param keys of the prompt's full chunks, from the first that it lacks
   * @returns the number of chunks appended
   */
  async extend(device: DecoderDevice, prompt: PromptCache, keys: readonly string[]): Promise<number> {
    const pages = this.match(keys);
    try {
      for (const page of pages) await device.appendPage(prompt, page);
    } finally {
      for (const page of pages) page.release();
    }
    return pages.length;
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
