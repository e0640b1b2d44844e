/**
 * @file Decode batches against rows that are kept apart: whoever joins, moves and leaves, each row's inputs are its own
 * prompt and answer.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DecodeBatch, type CpuRow } from "../../../src/runtime/cpu/decode-batch.ts";
import { KvMemory, type KvShape } from "../../../src/runtime/cpu/kv-memory.ts";
import type { KvRows } from "../../../src/runtime/cpu/kv-segment.ts";
import { CpuPrompt } from "../../../src/runtime/cpu/prompt.ts";
import { kvRows } from "./kv-rows.ts";

const shape: KvShape = { layers: 1, kvHeads: 2, headDim: 2, type: "float32" };
const memory = new KvMemory(shape);
const arrays = 2 * shape.layers;
const placeValues = arrays * shape.kvHeads * shape.headDim;
const maxRows = 6;
const capacity = { promptPlaces: maxRows * 256, answerPlaces: maxRows * 256, longestAnswer: 256 };

let counter = 1;

/** The values of one place: [arrays, kvHeads, headDim]. */
type Place = number[];

const freshPlace = (): Place => Array.from({ length: placeValues }, () => counter++);

interface TwinRow {
  row: CpuRow;
  prompt: Place[];
  answer: Place[];
}

/** Rows of places as `write` takes them. */
function stacked(rows: readonly (readonly Place[])[]): KvRows {
  const channels = (place: Place, array: number, head: number): number[] => {
    const start = (array * shape.kvHeads + head) * shape.headDim;
    return place.slice(start, start + shape.headDim);
  };
  const heads = [...Array(shape.kvHeads).keys()];
  return kvRows(
    [...Array(arrays).keys()].map((array) =>
      rows.map((places) => heads.map((head) => places.map((place) => channels(place, array, head)))),
    ),
  );
}

function promptOf(length: number): { prompt: CpuPrompt; places: Place[] } {
  const prompt = new CpuPrompt(memory, length);
  const places = Array.from({ length }, freshPlace);
  for (let start = 0; start < length; start += 64) {
    const chunk = places.slice(start, start + 64);
    prompt.append(stacked([chunk]), chunk.length);
  }
  return { prompt, places };
}

/**
 * What a batch feeds to the graph must be, for each of its rows, what the twin has, and the mask must show that and
 * nothing more.
 */
function assertFeeds(batch: DecodeBatch, twins: readonly TwinRow[], rows = batch.rows.length): void {
  const ofBatch = twins.filter(({ row }) => row.batch === batch);
  assert.deepEqual(new Set(batch.rows), new Set(ofBatch.map(({ row }) => row)));
  const mine = ofBatch.filter(({ row }) => row.slot < rows);
  assert.deepEqual(
    batch.rows.map(({ slot }) => slot),
    [...batch.rows.keys()],
  );
  if (mine.length === 0) return;
  const inputs = batch.inputs(rows);
  const mask = inputs["mask"]!;
  const lengths = Array.from(inputs["lengths"]!.data as BigInt64Array, Number);
  const [promptPlaces, answerPlaces] = lengths as [number, number];
  const width = promptPlaces + answerPlaces + 1;
  assert.deepEqual(mask.dims, [mine.length, 1, 1, width]);
  assert.equal(lengths[2], 1);
  for (const { row, prompt, answer } of mine) {
    assert.equal(row.length, prompt.length + answer.length);
    const shown = Array.from((mask.data as Float32Array).subarray(row.slot * width, (row.slot + 1) * width), (value) => value === 0);
    const expected = Array.from(
      { length: width },
      (_, at) => at < prompt.length || (at >= promptPlaces && at < promptPlaces + answer.length) || at === width - 1,
    );
    assert.deepEqual(shown, expected);
    const holds = (name: string, array: number, places: readonly Place[], length: number): void => {
      const tensor = inputs[`${name}_0`]!;
      const isKeys = array === 0;
      assert.deepEqual(tensor.dims.slice(1), [shape.kvHeads, ...(isKeys ? [shape.headDim, length] : [length, shape.headDim])]);
      const slot = tensor.dims[0] === 1 ? 0 : row.slot;
      const [ofPlace, ofChannel] = isKeys ? [1, length] : [shape.headDim, 1];
      places.forEach((place, at) => {
        for (let head = 0; head < shape.kvHeads; head++) {
          const start = (slot * shape.kvHeads + head) * length * shape.headDim + at * ofPlace;
          const from = (array * shape.kvHeads + head) * shape.headDim;
          const held = Array.from({ length: shape.headDim }, (_, channel) => (tensor.data as Float32Array)[start + channel * ofChannel]);
          assert.deepEqual(held, place.slice(from, from + shape.headDim));
        }
      });
    };
    holds("prompt_key", 0, prompt, promptPlaces);
    holds("prompt_value", 1, prompt, promptPlaces);
    holds("answer_key", 0, answer, answerPlaces);
    holds("answer_value", 1, answer, answerPlaces);
  }
}

/** One decode step: rows of the batch get a new place, all of them or those whose bit of `mask` is set. */
function stepRows(batch: DecodeBatch, twins: readonly TwinRow[], mask = -1): void {
  const stepping = new Set(twins.filter(({ row }, at) => row.batch === batch && (mask & (1 << at)) !== 0).map(({ row }) => row));
  if (stepping.size === 0) return;
  batch.moveToFront(stepping);
  const bySlot = batch.rows.slice(0, stepping.size).map((row) => twins.find((twin) => twin.row === row)!);
  assert.deepEqual(new Set(bySlot.map(({ row }) => row)), stepping);
  assertFeeds(batch, twins, stepping.size);
  const places = bySlot.map(freshPlace);
  bySlot.forEach((twin, slot) => twin.answer.push(places[slot]!));
  batch.append(stacked(places.map((place) => [place])), stepping.size);
}

type Command =
  | { kind: "join"; length: number; count: number }
  | { kind: "step"; times: number; mask: number }
  | { kind: "leave"; which: number }
  | { kind: "move"; which: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ kind: fc.constant("join"), length: fc.oneof(fc.nat(3), fc.nat(200)), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant("step"), times: fc.constantFrom(1, 2, 70), mask: fc.oneof(fc.constant(-1), fc.nat(63)) }),
  fc.record({ kind: fc.constant("leave"), which: fc.nat() }),
  fc.record({ kind: fc.constant("move"), which: fc.nat() }),
);

describe("a decode batch", () => {
  test("feeds each row its own prompt and answer, whoever joins, moves on and leaves", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 14 }), (commands) => {
        const [first, second] = [new DecodeBatch(memory, capacity), new DecodeBatch(memory, capacity)];
        const twins: TwinRow[] = [];
        for (const step of commands) {
          if (step.kind === "join" && twins.length + step.count <= maxRows) {
            const { prompt, places } = promptOf(step.length);
            for (const row of first.join(prompt, step.count, 255)) twins.push({ row, prompt: places, answer: [] });
          } else if (step.kind === "step") {
            for (let time = 0; time < step.times && twins.every(({ answer }) => answer.length < 255); time++) {
              for (const batch of [first, second]) stepRows(batch, twins, step.mask);
            }
          } else if (step.kind === "leave" && twins.length > 0) {
            const [twin] = twins.splice(step.which % twins.length, 1);
            twin!.row.batch.leave(twin!.row);
          } else if (step.kind === "move" && first.rows.length > 0) {
            second.adopt(first.rows[step.which % first.rows.length]!);
          }
          for (const batch of [first, second]) assertFeeds(batch, twins);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("over a shared prompt holds the prompt once and feeds it to every row", () => {
    const { prompt, places } = promptOf(70);
    const batch = new DecodeBatch(memory, { promptPlaces: 0, answerPlaces: 4 * 128, longestAnswer: 128 }, prompt);
    const twins = batch.join(prompt, 4, 127).map((row): TwinRow => ({ row, prompt: places, answer: [] }));
    assert.equal(batch.inputs()["prompt_key_0"]!.dims[0], 1);
    for (let count = 0; count < 100; count++) stepRows(batch, twins);
    assertFeeds(batch, twins);
    batch.leave(twins.shift()!.row);
    stepRows(batch, twins);
    assertFeeds(batch, twins);
    for (const { row } of twins.splice(0)) batch.leave(row);
    assertFeeds(batch, twins);
  });
});

describe("a prompt's cache", () => {
  test("grows in steps, keeps what it holds, and takes over only a spare of about its size", () => {
    const long = promptOf(700);
    assert.equal(long.prompt.length, 700);
    assert.deepEqual(long.prompt.segment.read(0, 0, 700), stacked([long.places]));
    const second = new CpuPrompt(memory, 300, long.prompt.segment);
    assert.equal(second.segment, long.prompt.segment);
    assert.equal(second.length, 0);
    assert.notEqual(new CpuPrompt(memory, 800, long.prompt.segment).segment, long.prompt.segment);
    assert.notEqual(new CpuPrompt(memory, 10, long.prompt.segment).segment, long.prompt.segment);
  });
});
