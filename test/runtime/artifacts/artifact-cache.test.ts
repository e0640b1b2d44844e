/** @file The cache of derived files: made once, complete or absent, bounded, and deletable at any time. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { ArtifactCache } from "../../../src/runtime/artifacts/artifact-cache.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";

const root = temporaryFolder();
let folder: string;
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
});

const making =
  (bytes: number, name = "weights.bin") =>
  async (scratch: string): Promise<void> =>
    writeFileSync(join(scratch, name), new Uint8Array(bytes));

/** Makes an entry seem last used so long ago. */
function age(key: string, ms: number): void {
  const then = new Date(Date.now() - ms);
  utimesSync(join(folder, key), then, then);
}

describe("the artifact cache", () => {
  test("finds what was added, with all its files, and nothing else", async () => {
    const cache = new ArtifactCache(folder, 1000);
    assert.equal(cache.find("aa"), undefined);
    const added = await cache.add("aa", making(10));
    assert.equal(cache.find("aa"), added);
    assert.equal(new ArtifactCache(folder, 1000).find("aa"), added);
    assert.deepEqual(readdirSync(added).toSorted(), ["files.json", "weights.bin"]);
    assert.deepEqual(readdirSync(folder), ["aa"]);
  });

  const damages: Record<string, (entry: string) => void> = {
    "a file was cut": (entry) => truncateSync(join(entry, "weights.bin"), 9),
    "a file is gone": (entry) => rmSync(join(entry, "weights.bin")),
    "the list of files is gone": (entry) => rmSync(join(entry, "files.json")),
    "the list of files is no JSON": (entry) => writeFileSync(join(entry, "files.json"), "{"),
    "it is a file itself": (entry) => {
      rmSync(entry, { recursive: true });
      writeFileSync(entry, "x");
    },
  };
  for (const [damage, spoil] of Object.entries(damages)) {
    test(`makes an entry anew when ${damage}`, async () => {
      const cache = new ArtifactCache(folder, 1000);
      spoil(await cache.add("aa", making(10)));
      assert.equal(cache.find("aa"), undefined);
      assert.equal(await cache.add("aa", making(10)), join(folder, "aa"));
      assert.equal(cache.find("aa"), join(folder, "aa"));
    });
  }

  test("leaves nothing behind when making fails", async () => {
    const cache = new ArtifactCache(folder, 1000);
    await assert.rejects(
      cache.add("aa", async (scratch) => {
        await making(10)(scratch);
        throw new Error("no weights");
      }),
      /no weights/,
    );
    assert.deepEqual(readdirSync(folder), []);
  });

  test("drops what was used least recently once all together pass the limit, but never the new entry", async () => {
    const cache = new ArtifactCache(folder, 400);
    for (const key of ["aa", "bb", "cc"]) await cache.add(key, making(100));
    age("aa", 3000);
    age("bb", 2000);
    age("cc", 1000);
    cache.find("aa");
    await cache.add("dd", making(100));
    assert.deepEqual(readdirSync(folder).toSorted(), ["aa", "cc", "dd"]);
    await cache.add("ee", making(1000));
    assert.deepEqual(readdirSync(folder), ["ee"]);
  });

  test("removes what a process that died has left, and nothing that is not its own", async () => {
    mkdirSync(join(folder, "making-old"), { recursive: true });
    mkdirSync(join(folder, "making-now"));
    mkdirSync(join(folder, "My Documents"));
    writeFileSync(join(folder, "making-old", "weights.bin"), "x");
    age("making-old", 24 * 3_600_000);
    await new ArtifactCache(folder, 0).add("aa", making(10));
    assert.deepEqual(readdirSync(folder).toSorted(), ["My Documents", "aa", "making-now"]);
  });

  test("takes two makers of the same entry", async () => {
    const cache = new ArtifactCache(folder, 1000);
    const both = await Promise.all([cache.add("aa", making(10)), cache.add("aa", making(10))]);
    assert.deepEqual(both, [join(folder, "aa"), join(folder, "aa")]);
    assert.deepEqual(readdirSync(folder), ["aa"]);
  });

  test("says which folder cannot be written, and what to do", async () => {
    writeFileSync(folder, "a file");
    await assert.rejects(
      new ArtifactCache(join(folder, "cache"), 1000).add("aa", making(10)),
      (error) =>
        error instanceof BonsaiError &&
        error.code === "file_not_found" &&
        error.message.includes(folder) &&
        error.message.includes("--cache-dir"),
    );
    assert.ok(existsSync(folder));
  });
});
