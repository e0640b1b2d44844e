/**
 * @file The segment of keys and values against nested arrays, under every order of growing, shrinking, writing and
 * copying.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { KvSegment, placeGranularity, roundUpPlaces, type KvRows } from "../../../src/runtime/cpu/kv-segment.ts";
import { KvMemory, type KvShape } from "../../../src/runtime/cpu/kv-memory.ts";
import { flatPlaces, kvRows } from "./kv-rows.ts";

const shape: KvShape = { layers: 2, kvHeads: 3, headDim: 2, type: "float32" };
const memory = new KvMemory(shape);
const arrays = 2 * shape.layers;
const capacity = 24;

/** The twin: values by [array][row][head][place][channel]; undefined where nothing was ever written. */
type Twin = (number | undefined)[][][][][];

function nested(sizes: readonly number[], make: () => unknown): unknown {
  const [size, ...rest] = sizes;
  return size === undefined ? make() : Array.from({ length: size }, () => nested(rest, make));
}

const emptyRow = (places: number): Twin[number][number] =>
  nested([shape.kvHeads, places, shape.headDim], () => undefined) as Twin[number][number];

function resized(twin: Twin, rows: number, places: number): Twin {
  return twin.map((ofArray) =>
    Array.from({ length: rows }, (_, row) => emptyRow(places).map((head, h) => head.map((place, p) => ofArray[row]?.[h]?.[p] ?? place))),
  );
}

let counter = 1;

/** Fresh values as `write` takes them, and the same by [array][row][head][place][channel]. */
function source(rows: number, count: number): { flat: KvRows; values: Twin } {
  const values = nested([arrays, rows, shape.kvHeads, count, shape.headDim], () => counter++) as number[][][][][];
  return { flat: kvRows(values), values };
}

type Command =
  | { kind: "resize"; rows: number; places: number }
  | { kind: "write"; row: number; place: number; count: number; sourceRows: number; sourceRow: number }
  | { kind: "append"; places: number[] }
  | { kind: "copyWithin"; from: number; to: number; count: number }
  | { kind: "copyFrom"; to: number; count: number };

const small = fc.nat(11);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: fc.constant("resize"), rows: fc.nat(4), places: fc.nat(8) }),
  fc.record({
    kind: fc.constant("write"),
    row: small,
    place: small,
    count: small,
    sourceRows: fc.integer({ min: 1, max: 3 }),
    sourceRow: small,
  }),
  fc.record({ kind: fc.constant("append"), places: fc.array(small, { minLength: 4, maxLength: 4 }) }),
  fc.record({ kind: fc.constant("copyWithin"), from: small, to: small, count: small }),
  fc.record({ kind: fc.constant("copyFrom"), to: small, count: small }),
);

function assertHolds(segment: KvSegment, twin: Twin, rows: number, places: number): void {
  const { keys, values } = segment.tensors();
  assert.equal(keys.length + values.length, arrays);
  twin.forEach((ofArray, array) => {
    const isKeys = array < shape.layers;
    const { data, dims } = (isKeys ? keys[array] : values[array - shape.layers])!;
    assert.deepEqual(dims, [rows, shape.kvHeads, ...(isKeys ? [shape.headDim, places] : [places, shape.headDim])]);
    const held = data as Float32Array;
    assert.equal(held.length, rows * shape.kvHeads * places * shape.headDim);
    for (const [at, expected] of ofArray.flatMap((row) => flatPlaces(row, isKeys)).entries()) {
      if (expected !== undefined) assert.equal(held[at], expected);
      assert.ok(Number.isFinite(held[at]));
    }
  });
}

describe("a segment of keys and values", () => {
  test("holds what was written through every order of resizing, writing and copying", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), fc.constantFrom(0, 3, 4096), (commands, kept) => {
        const segment = new KvSegment(memory, capacity, kept);
        const other = new KvSegment(memory, 5);
        other.resize(1, 5);
        const otherSource = source(1, 5);
        other.write(otherSource.flat, 1, 0, 0, 0, 5);
        let twin: Twin = Array.from({ length: arrays }, () => []);
        let [rows, places] = [0, 0];
        for (const step of commands) {
          if (step.kind === "resize") {
            if (step.rows * step.places > capacity) continue;
            ({ rows, places } = step);
            segment.resize(rows, places);
            twin = resized(twin, rows, places);
          } else if (rows > 0 && places > 0) {
            const count = 1 + (("count" in step ? step.count : 0) % places);
            if (step.kind === "write") {
              const { flat, values } = source(step.sourceRows, count);
              const [row, place, sourceRow] = [step.row % rows, step.place % (places - count + 1), step.sourceRow % step.sourceRows];
              segment.write(flat, step.sourceRows, sourceRow, row, place, count);
              twin.forEach((ofArray, array) =>
                ofArray[row]!.forEach((head, h) => head.splice(place, count, ...values[array]![sourceRow]![h]!)),
              );
              const written = twin.map((ofArray) => [ofArray[row]!.map((head) => head.slice(place, place + count))]);
              assert.deepEqual(segment.read(row, place, count), kvRows(written as number[][][][][]));
            } else if (step.kind === "append") {
              const { flat, values } = source(rows, 1);
              const wheres = step.places.slice(0, rows).map((place) => place % places);
              segment.append(flat, wheres);
              for (const [row, place] of wheres.entries()) {
                twin.forEach((ofArray, array) => ofArray[row]!.forEach((head, h) => head.splice(place, 1, ...values[array]![row]![h]!)));
              }
            } else if (step.kind === "copyWithin") {
              const [from, to] = [step.from % rows, step.to % rows];
              segment.copyRow(segment, from, to, count);
              for (const ofArray of twin) ofArray[to]!.forEach((head, h) => head.splice(0, count, ...ofArray[from]![h]!.slice(0, count)));
            } else {
              const [to, most] = [step.to % rows, Math.min(count, 5)];
              segment.copyRow(other, 0, to, most);
              twin.forEach((ofArray, array) =>
                ofArray[to]!.forEach((head, h) => head.splice(0, most, ...otherSource.values[array]![0]![h]!.slice(0, most))),
              );
            }
          }
          assert.deepEqual([segment.rows, segment.places], [rows, places]);
          assert.ok(segment.heldPlaces >= rows * places && segment.heldPlaces <= Math.max(kept, 2 * rows * places));
          assertHolds(segment, twin, rows, places);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("forgets what it held when it is reset", () => {
    const segment = new KvSegment(memory, capacity, 0);
    segment.resize(1, 8);
    segment.write(source(1, 8).flat, 1, 0, 0, 0, 8);
    segment.reset(3, 8);
    const { flat, values } = source(1, 8);
    segment.write(flat, 1, 0, 2, 0, 8);
    assert.deepEqual([segment.rows, segment.places], [3, 8]);
    assert.deepEqual(segment.read(2, 0, 8), kvRows(values as number[][][][][]));
  });

  const noStatus = process.platform !== "linux" && "the system's account of memory is read from /proc";
  test("gives memory back to the system once less than half is needed", { skip: noStatus }, () => {
    const residentBytes = (): number => Number(readFileSync("/proc/self/statm", "utf8").split(" ")[1]) * 4096;
    const segment = new KvSegment(new KvMemory({ layers: 2, kvHeads: 4, headDim: 64, type: "int8" }), 200_000);
    const before = residentBytes();
    segment.resize(10, 20_000);
    for (const { data } of [...segment.tensors().keys, ...segment.tensors().values]) (data as Int8Array).fill(1);
    const written = residentBytes() - before;
    segment.resize(10, 1000);
    const left = residentBytes() - before;
    // 205 MB were written, and 10 are needed.
    assert.ok(written > 150e6, `${written} bytes written`);
    assert.ok(left < written / 4, `${left} of ${written} bytes left`);
  });

  test("refuses to pass its capacity, and stays as it is", () => {
    const segment = new KvSegment(memory, capacity);
    segment.resize(2, 8);
    assert.throws(
      () => segment.resize(4, 8),
      (error) => error instanceof BonsaiError && error.code === "internal" && /4 rows of 8 places/.test(error.message),
    );
    assert.deepEqual([segment.rows, segment.places], [2, 8]);
  });

  test("makes its tensors again only when its size changes", () => {
    const segment = new KvSegment(memory, capacity);
    segment.resize(2, 4);
    const first = segment.tensors();
    segment.write(source(1, 1).flat, 1, 0, 0, 0, 1);
    assert.equal(segment.tensors(), first);
    segment.resize(2, 5);
    assert.deepEqual(segment.tensors().keys[0]!.dims, [2, 3, 2, 5]);
    assert.deepEqual(segment.tensors().values[0]!.dims, [2, 3, 5, 2]);
  });
});

test("lengths round up to whole groups of places, at least one", () => {
  assert.deepEqual(
    [0, 1, placeGranularity, placeGranularity + 1, 3 * placeGranularity].map(roundUpPlaces),
    [1, 1, 1, 2, 3].map((groups) => groups * placeGranularity),
  );
});
