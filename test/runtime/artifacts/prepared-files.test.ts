/** @file A model is prepared and served wherever the cache may be written, only read, or neither. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { beforeEach, afterEach, describe, test } from "node:test";
import { findOrMake } from "../../../src/runtime/artifacts/prepared-files.ts";
import { smallDisk, withoutSmallDisk } from "../../fixtures/small-disk.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";

const root = temporaryFolder();
const systemFolder = process.env["TMPDIR"];
let folder: string;
let spare: string;
let lines: string[];
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(join(folder, "tmp"), { recursive: true });
  process.env["TMPDIR"] = join(folder, "tmp");
  spare = join(tmpdir(), `bonsai-cache-${userInfo().uid}`);
  lines = [];
});
afterEach(() => {
  if (systemFolder === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = systemFolder;
});

/** Finds or makes an entry that holds its key, with a log of its own or that of an earlier call. */
const prepared = async (cacheDir: string, key: string, log = (line: string): unknown => lines.push(line)): Promise<string> =>
  findOrMake(key, { cacheDir, maxCacheBytes: 1000, log }, `model ${key}`, async (scratch) => writeFileSync(join(scratch, "key"), key));

/** Mounts a file system that `work` sees read-only once it called `freeze`. @returns whether the system permits it */
async function onReadOnlyDisk(work: (disk: string, freeze: () => void) => Promise<void>): Promise<boolean> {
  const disk = join(folder, "disk");
  const unmount = smallDisk(disk, 256);
  if (unmount === undefined) return false;
  try {
    await work(disk, () => assert.equal(spawnSync("mount", ["-o", "remount,ro", disk]).status, 0));
  } finally {
    unmount();
  }
  return true;
}

describe("a cache folder that may only be read", () => {
  test("is used for what it holds, without a word", async (t) => {
    const done = await onReadOnlyDisk(async (disk, freeze) => {
      const made = await prepared(disk, "aa");
      freeze();
      assert.equal(await prepared(disk, "aa"), made);
      assert.equal(lines.length, 1);
      assert.deepEqual(readdirSync(tmpdir()), []);
    });
    if (!done) t.skip(withoutSmallDisk);
  });

  test("is named by one warning where a model is not in it, which is then prepared once in a temporary folder", async (t) => {
    const done = await onReadOnlyDisk(async (disk, freeze) => {
      await prepared(disk, "aa");
      freeze();
      const log = (line: string): unknown => lines.push(line);
      lines = [];
      for (const key of ["bb", "cc", "bb"]) assert.equal(readFileSync(join(await prepared(disk, key, log), "key"), "utf8"), key);
      assert.deepEqual(
        lines.map((line) => line.split(" ", 3).join(" ")),
        ["The cache folder", "Preparing model bb;", "Preparing model cc."],
      );
      assert.ok(lines[0]!.includes(disk) && lines[0]!.includes(spare) && lines[0]!.includes("read-only"), lines[0]);
      assert.deepEqual(readdirSync(spare).toSorted(), ["bb", "cc"]);
    });
    if (!done) t.skip(withoutSmallDisk);
  });

  test("does not keep a damaged model from being served", async (t) => {
    const done = await onReadOnlyDisk(async (disk, freeze) => {
      writeFileSync(join(await prepared(disk, "aa"), "key"), "zz");
      freeze();
      const made = await prepared(disk, "aa");
      assert.equal(made, join(spare, "aa"));
      assert.equal(readFileSync(join(made, "key"), "utf8"), "aa");
      assert.ok(lines.some((line) => line.includes("damaged")));
    });
    if (!done) t.skip(withoutSmallDisk);
  });

  test("stops the start where the temporary folder belongs to others, too", async (t) => {
    const elsewhere = join(folder, "elsewhere");
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, spare);
    const done = await onReadOnlyDisk(async (disk, freeze) => {
      freeze();
      await assert.rejects(prepared(join(disk, "cache"), "aa"), { code: "file_not_found", message: /disk.*--cache-dir/ });
    });
    if (!done) t.skip(withoutSmallDisk);
    assert.deepEqual(readdirSync(elsewhere), []);
  });
});

/** Prepares the same model as another user would. @returns what that process printed */
function asAnotherUser(cacheDir: string, key: string, environment: NodeJS.ProcessEnv = {}): string {
  const module = new URL("../../../src/runtime/artifacts/prepared-files.ts", import.meta.url).href;
  const script = `
    import { writeFileSync } from "node:fs";
    import { findOrMake } from ${JSON.stringify(module)};
    const options = { cacheDir: ${JSON.stringify(cacheDir)}, maxCacheBytes: 1000, log: console.log };
    console.log(await findOrMake(${JSON.stringify(key)}, options, "model", async (folder) => writeFileSync(folder + "/key", "theirs")));`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", script], {
    uid: 65_534,
    gid: 65_534,
    env: { ...process.env, ...environment },
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return stdout.trimEnd();
}

describe("a cache folder of another user", { skip: process.getuid?.() === 0 ? false : "only root may act as another user" }, () => {
  test("is used for what it holds, and not written", async () => {
    const cacheDir = join(folder, "cache");
    chmodSync(root, 0o755);
    const made = await prepared(cacheDir, "aa");
    chmodSync(tmpdir(), 0o777);
    assert.equal(asAnotherUser(cacheDir, "aa"), made);
    const said = asAnotherUser(cacheDir, "bb").split("\n");
    assert.equal(said.at(-1), join(tmpdir(), "bonsai-cache-65534", "bb"));
    assert.ok(said[0]!.includes(cacheDir) && said[0]!.includes("does not permit"), said[0]);
    assert.deepEqual(readdirSync(cacheDir), ["aa"]);
  });

  test("does not stop the start though damaged files in it may not be replaced", async () => {
    const cacheDir = join(folder, "cache");
    const made = await prepared(cacheDir, "aa");
    writeFileSync(join(made, "key"), "zz");
    for (const open of [root, tmpdir()]) chmodSync(open, 0o777);
    chmodSync(cacheDir, 0o1777);
    assert.equal(asAnotherUser(cacheDir, "aa").split("\n").at(-1), join(tmpdir(), "bonsai-cache-65534", "aa"));
    assert.deepEqual(readdirSync(cacheDir), ["aa"]);
  });
});
