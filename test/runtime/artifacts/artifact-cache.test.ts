/** @file The cache of derived files: made once, complete or absent, bounded, and deletable at any time. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { ArtifactCache } from "../../../src/runtime/artifacts/artifact-cache.ts";
import { ownIdentity } from "../../../src/runtime/artifacts/process-identity.ts";
import { makeScratchFolder } from "../../../src/runtime/artifacts/scratch-folder.ts";
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

/** Starts a process that makes an entry, and kills it meanwhile. @returns its process id */
async function killedWhileMaking(cacheFolder: string): Promise<number> {
  const module = new URL("../../../src/runtime/artifacts/artifact-cache.ts", import.meta.url).href;
  const script = `
    import { ArtifactCache } from ${JSON.stringify(module)};
    await new ArtifactCache(${JSON.stringify(cacheFolder)}, 1000).add("aa", async () => {
      console.log("making");
      await new Promise(() => setInterval(() => {}, 1000));
    });`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  return child.pid!;
}

describe("the artifact cache", () => {
  test("finds what was added, with all its files, and nothing else", async () => {
    const cache = new ArtifactCache(folder, 1000);
    assert.equal(cache.find("aa"), undefined);
    const added = await cache.add("aa", making(10));
    assert.equal(cache.find("aa"), added);
    assert.equal(new ArtifactCache(folder, 1000).find("aa"), added);
    assert.deepEqual(readdirSync(added).toSorted(), ["checksums.json", "weights.bin"]);
    assert.deepEqual(readdirSync(folder), ["aa"]);
  });

  const damages: Record<string, (entry: string) => void> = {
    "a file was cut": (entry) => truncateSync(join(entry, "weights.bin"), 9),
    "a file was filled with other bytes": (entry) => writeFileSync(join(entry, "weights.bin"), new Uint8Array(10).fill(1)),
    "a file is gone": (entry) => rmSync(join(entry, "weights.bin")),
    "the list of files is gone": (entry) => rmSync(join(entry, "checksums.json")),
    "the list of files is no JSON": (entry) => writeFileSync(join(entry, "checksums.json"), "{"),
    "it is a file itself": (entry) => {
      rmSync(entry, { recursive: true });
      writeFileSync(entry, "x");
    },
  };
  for (const [damage, spoil] of Object.entries(damages)) {
    test(`makes an entry anew when ${damage}`, async () => {
      const lines: string[] = [];
      const cache = new ArtifactCache(folder, 1000, (line) => lines.push(line));
      spoil(await cache.add("aa", making(10)));
      assert.equal(cache.find("aa"), undefined);
      assert.match(lines.join("\n"), /^The prepared files in .*aa are damaged: .* They are made anew\.$/);
      assert.equal(await cache.add("aa", making(10)), join(folder, "aa"));
      assert.equal(cache.find("aa"), join(folder, "aa"));
      assert.deepEqual(readdirSync(folder), ["aa"]);
      assert.equal(lines.length, 1);
    });
  }

  test("takes the sound entry that another process put in the place of a damaged one meanwhile", async () => {
    const cache = new ArtifactCache(folder, 1000);
    writeFileSync(join(await cache.add("aa", making(10)), "weights.bin"), new Uint8Array(10).fill(1));
    await cache.add("aa", async (scratch) => {
      await cache.add("aa", making(20));
      await making(10)(scratch);
    });
    assert.equal(statSync(join(folder, "aa", "weights.bin")).size, 20);
    assert.deepEqual(readdirSync(folder), ["aa"]);
  });

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
    age(join("making-old", "weights.bin"), 24 * 3_600_000);
    age("making-old", 24 * 3_600_000);
    await new ArtifactCache(folder, 0).add("aa", making(10));
    assert.deepEqual(readdirSync(folder).toSorted(), ["My Documents", "aa", "making-now"]);
  });

  test("removes at the next look what a maker that was killed has left, but not what a living one makes", async () => {
    const cache = new ArtifactCache(folder, 1000);
    const child = await killedWhileMaking(folder);
    const [left] = readdirSync(folder);
    assert.match(left!, new RegExp(`-${child}-`));
    await cache.add("aa", async (scratch) => {
      cache.find("bb");
      assert.deepEqual(readdirSync(folder), [basename(scratch)]);
      await making(10)(scratch);
    });
    assert.deepEqual(readdirSync(folder), ["aa"]);
  });

  test("knows a maker that was killed though its process id was given out again", async () => {
    mkdirSync(folder);
    const scratch = basename(makeScratchFolder(folder));
    const { machine, id, started } = ownIdentity();
    assert.ok(scratch.includes(`-${machine}-${id}-${started}-`));
    const before = scratch.replace(`-${started}-`, `-${started - 1}-`);
    mkdirSync(join(folder, before));
    new ArtifactCache(folder, 1000).find("aa");
    assert.deepEqual(readdirSync(folder), [scratch]);
  });

  test("leaves what a process of another machine or container is making, until nothing in it has changed for an hour", async () => {
    const [busy, quiet] = ["busy", "quiet"].map((name) => `making-00000000-${process.pid}-1-${name}`) as [string, string];
    for (const name of [busy, quiet]) {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, "weights.bin"), "x");
      age(name, 24 * 3_600_000);
    }
    age(join(quiet, "weights.bin"), 24 * 3_600_000);
    new ArtifactCache(folder, 1000).find("aa");
    assert.deepEqual(readdirSync(folder), [busy]);
  });

  test("counts what is being made towards the limit", async () => {
    const cache = new ArtifactCache(folder, 300);
    await cache.add("aa", making(100));
    age("aa", 1000);
    await cache.add("bb", async (scratch) => {
      await making(200)(scratch);
      await cache.add("cc", making(10));
    });
    assert.deepEqual(readdirSync(folder).toSorted(), ["bb", "cc"]);
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
