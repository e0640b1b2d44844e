/** @file Units leave room above what was seen, and what one head lacks is made up for by half. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attentionUnits, type AttentionPeaks } from "../../src/runtime/attention-units.ts";

const shape = { layers: 2, kvHeads: 2, headDim: 4 };
const channels = shape.layers * shape.kvHeads * shape.headDim;

function peaks(change: Partial<AttentionPeaks> = {}): AttentionPeaks {
  const some = (seed: number): Float32Array<ArrayBuffer> => Float32Array.from({ length: channels }, (_, at) => 1 + ((at * seed) % 7));
  return { keys: some(3), values: some(5), queries: some(2), ...change };
}

/** Queries of a head, largest in units of a layer's queries. */
function largestQuery({ queries }: AttentionPeaks, units: ReturnType<typeof attentionUnits>, layer: number, head: number): number {
  const start = (layer * shape.kvHeads + head) * shape.headDim;
  const inUnits = Array.from({ length: shape.headDim }, (_, channel) => queries[start + channel]! * units.keys[start + channel]!);
  return Math.max(...inUnits) / Math.sqrt(shape.headDim) / units.queries[layer]!;
}

describe("units of what attention multiplies as bytes", () => {
  test("leave a quarter above the largest value that was seen", () => {
    const seen = peaks();
    const { values } = attentionUnits([seen], shape);
    for (const [at, unit] of values.entries()) assert.ok(Math.abs(seen.values[at]! / unit - 127 / 1.25) < 1e-3);
  });

  test("leave a quarter above the largest query of each layer, and no key passes 127 of them", () => {
    const seen = peaks();
    const units = attentionUnits([seen], shape);
    for (const layer of [0, 1]) {
      const largest = Math.max(largestQuery(seen, units, layer, 0), largestQuery(seen, units, layer, 1));
      assert.ok(Math.abs(largest - 127 / 1.25) < 1e-3, `${largest}`);
    }
    for (const [at, unit] of units.keys.entries()) assert.ok(seen.keys[at]! / unit <= 127 / 1.25 + 1e-3);
  });

  test("of a head with smaller queries make up for half of it, at the cost of its keys", () => {
    const alike = peaks({ queries: new Float32Array(channels).fill(1), keys: new Float32Array(channels).fill(1) });
    const smaller = structuredClone(alike);
    smaller.queries.fill(1 / 9, 0, shape.headDim);
    const [plain, made] = [attentionUnits([alike], shape), attentionUnits([smaller], shape)];
    assert.ok(Math.abs(made.keys[0]! / plain.keys[0]! - 3) < 1e-5);
    assert.ok(Math.abs(largestQuery(smaller, made, 0, 0) - 127 / 1.25 / 3) < 1e-3);
    assert.deepEqual(made.keys.subarray(shape.headDim), plain.keys.subarray(shape.headDim));
  });

  test("are never more than four times as coarse, and finite where nothing was seen", () => {
    const silent = peaks({ queries: new Float32Array(channels), keys: new Float32Array(channels), values: new Float32Array(channels) });
    silent.queries.fill(1, shape.headDim, 2 * shape.headDim);
    silent.keys.fill(1, 0, 2 * shape.headDim);
    const units = attentionUnits([silent], shape);
    assert.ok(Math.abs(units.keys[0]! / units.keys[shape.headDim]! - 4) < 1e-5);
    for (const unit of [...units.keys, ...units.values, ...units.queries]) assert.ok(unit > 0 && Number.isFinite(1 / unit));
  });

  test("of an adapter are its own", () => {
    const [base, adapter] = [peaks(), peaks({ keys: peaks().keys.map((key) => 10 * key) })];
    const [alone, both] = [attentionUnits([base], shape), attentionUnits([base, adapter], shape)];
    for (const kind of ["keys", "values", "queries"] as const)
      assert.deepEqual(both[kind].subarray(0, alone[kind].length), alone[kind], kind);
    assert.notDeepEqual(both.keys.subarray(channels), alone.keys);
  });
});
