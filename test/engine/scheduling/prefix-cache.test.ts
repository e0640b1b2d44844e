/** @file The prefix cache: keys that tell all that came before apart, runs of chunks, and a bound in bytes. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { chunkKeys, PrefixCache } from "../../../src/engine/scheduling/prefix-cache.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { CpuPage } from "../../../src/runtime/cpu/cpu-page.ts";
import type { CachePage } from "../../../src/runtime/device.ts";

const ids = fc.array(fc.nat(3), { maxLength: 20 });

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const differs = a.findIndex((id, at) => id !== b[at]);
  return differs === -1 ? Math.min(a.length, b.length) : differs;
}

describe("chunk keys", () => {
  test("agree exactly as far as the tokens do", () => {
    fc.assert(
      fc.property(ids, ids, fc.integer({ min: 1, max: 5 }), (a, b, chunk) => {
        const [keysOfA, keysOfB] = [chunkKeys("model", a, chunk), chunkKeys("model", b, chunk)];
        assert.equal(keysOfA.length, Math.floor(a.length / chunk));
        const common = Math.floor(commonPrefix(a, b) / chunk);
        assert.deepEqual(keysOfA.slice(0, common), keysOfB.slice(0, common));
        const later = new Set(keysOfB.slice(common));
        assert.ok(keysOfA.slice(common).every((key) => !later.has(key)));
      }),
    );
  });

  test("of equal chunks at different places, and of different models, differ", () => {
    const [first, second] = chunkKeys("model", [1, 2, 1, 2], 2);
    assert.notEqual(first, second);
    assert.notEqual(first, chunkKeys("other", [1, 2], 2)[0]);
  });
});

/** @param byteLength even */
const page = (byteLength: number): CpuPage => new CpuPage({ keys: new Int8Array(byteLength / 2), values: new Int8Array(byteLength / 2) });

const isFreed = (error: unknown): boolean => error instanceof BonsaiError && error.code === "internal";

describe("the prefix cache", () => {
  const never = async (): Promise<CachePage> => assert.fail("a page was read that cannot be kept");

  test("gives the pages up to the first that is missing", async () => {
    const cache = new PrefixCache(100);
    const pages = [page(10), page(10), page(10)];
    await cache.keep("a", 10, async () => pages[0]!);
    await cache.keep("b", 10, async () => pages[1]!);
    await cache.keep("d", 10, async () => pages[2]!);
    assert.deepEqual(cache.match(["a", "b", "c", "d"]), [pages[0], pages[1]]);
    assert.deepEqual(cache.match(["x", "a"]), []);
    assert.equal(cache.byteLength, 30);
  });

  test("reads a page only when it is new and fits", async () => {
    const cache = new PrefixCache(100);
    await cache.keep("a", 10, async () => page(10));
    await cache.keep("a", 10, never);
    await cache.keep("b", 101, never);
    assert.equal(cache.byteLength, 10);
  });

  test("of no bytes keeps nothing", async () => {
    const cache = new PrefixCache(0);
    await cache.keep("a", 10, never);
    assert.deepEqual(cache.match(["a"]), []);
    assert.equal(cache.byteLength, 0);
  });

  test("never passes its bytes, and drops what was used least recently", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ key: fc.constantFrom(..."abcdefgh"), isMatch: fc.boolean() }), { maxLength: 40 }),
        async (steps) => {
          const cache = new PrefixCache(40);
          // Oldest first; every page has 10 bytes.
          let recent: string[] = [];
          for (const { key, isMatch } of steps) {
            const isKept = recent.includes(key);
            if (isMatch) assert.equal(cache.match([key]).length, isKept ? 1 : 0);
            else await cache.keep(key, 10, async () => page(10));
            // A page that is here already is not kept again, so only a match renews it.
            if (isKept === isMatch) recent = [...recent.filter((other) => other !== key), ...(isKept || !isMatch ? [key] : [])].slice(-4);
            assert.equal(cache.byteLength, 10 * recent.length);
          }
          for (const key of "abcdefgh") assert.equal(cache.match([key]).length, recent.includes(key) ? 1 : 0);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("frees a page that it drops, though not before whoever matched it has released it", async () => {
    const cache = new PrefixCache(20);
    const [first, second, third] = [page(10), page(10), page(10)];
    await cache.keep("a", 10, async () => first);
    await cache.keep("b", 10, async () => second);
    const [matched] = cache.match(["b"]);
    await cache.keep("c", 10, async () => third);
    assert.throws(() => first.rows, isFreed);
    await cache.keep("d", 10, async () => page(10));
    assert.ok(second.rows);
    matched!.release();
    assert.throws(() => second.rows, isFreed);
    assert.throws(() => second.release(), isFreed);
    assert.ok(third.rows);
  });
});
