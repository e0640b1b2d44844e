/** @file Scales leave room above what was seen, for the base and for each adapter alike. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { measuredKvScales, type AttentionPeaks } from "../../../src/runtime/artifacts/measured-kv-scales.ts";

const channels = 16;

function peaks(factor: number): AttentionPeaks {
  const some = (seed: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: channels }, (_, at) => factor * (1 + ((at * seed) % 7)));
  return { keys: some(3), values: some(5) };
}

describe("scales of keys and values that are stored as bytes", () => {
  test("leave a quarter above the largest that was seen", () => {
    const seen = peaks(1);
    const scales = measuredKvScales([seen]);
    for (const kind of ["keys", "values"] as const) {
      for (const [at, scale] of scales[kind].entries()) assert.ok(Math.abs(seen[kind][at]! / scale - 127 / 1.25) < 1e-3);
    }
  });

  test("are finite where nothing was seen", () => {
    const { keys, values } = measuredKvScales([peaks(0)]);
    for (const scale of [...keys, ...values]) assert.ok(scale > 0 && Number.isFinite(1 / scale));
  });

  test("of an adapter are its own, and leave the base's as they are", () => {
    const [alone, both] = [measuredKvScales([peaks(1)]), measuredKvScales([peaks(1), peaks(10)])];
    assert.deepEqual(both.keys.subarray(0, channels), alone.keys);
    assert.deepEqual(both.values.subarray(channels), measuredKvScales([peaks(10)]).values);
  });
});
