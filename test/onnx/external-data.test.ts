/** @file The file of weights beside a graph: where each tensor lies in it, and what a disk that is full says. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { ExternalDataWriter } from "../../src/onnx/external-data.ts";
import { smallDisk, withoutSmallDisk } from "../fixtures/small-disk.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const folder = temporaryFolder();

function refusal(work: () => unknown, message: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof BonsaiError && error.code === "write_failed", String(error));
    assert.match(error.message, message);
    assert.ok(error.cause instanceof Error);
    return true;
  });
}

describe("a file of external data", () => {
  test("holds each tensor once, on a cache line of its own", () => {
    const path = join(folder, "weights.bin");
    const writer = new ExternalDataWriter(path);
    const first = writer.add("first", () => Uint8Array.of(1, 2, 3));
    const second = writer.add("second", () => Float32Array.of(5, 6));
    assert.deepEqual(
      writer.add("first", () => assert.fail("it is there already")),
      first,
    );
    writer.close();
    assert.deepEqual(second, { kind: "external", offset: 64, length: 8 });
    assert.equal(writer.byteLength, 72);
    const bytes = readFileSync(path);
    assert.deepEqual([...bytes.subarray(0, 3)], [1, 2, 3]);
    assert.deepEqual([bytes.readFloatLE(64), bytes.readFloatLE(68), bytes.length], [5, 6, 72]);
  });

  test("says by its path that it cannot be made", () => {
    refusal(() => new ExternalDataWriter(join(folder, "absent", "weights.bin")), /absent\/weights\.bin cannot be written: ENOENT/);
  });

  test("says by its path that the disk is full", (t) => {
    const full = join(folder, "full");
    const unmount = smallDisk(full, 64);
    if (unmount === undefined) return t.skip(withoutSmallDisk);
    try {
      const writer = new ExternalDataWriter(join(full, "weights.bin"));
      writer.add("what fits", () => new Float32Array(2 ** 10));
      refusal(
        () => writer.add("what does not", () => new Float32Array(2 ** 16)),
        /full\/weights\.bin cannot be written: the disk is full\.$/,
      );
      writer.close();
    } finally {
      unmount();
    }
  });
});
