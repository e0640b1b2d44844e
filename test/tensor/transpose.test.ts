/** @file Transposition against its definition. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { transposeBytes } from "../../src/tensor/transpose.ts";

test("a transposed matrix has each element at its mirrored place, for every element size", () => {
  const sizes = fc.record({
    rows: fc.integer({ min: 1, max: 70 }),
    columns: fc.integer({ min: 1, max: 70 }),
    elementBytes: fc.constantFrom(2, 4, 8),
  });
  fc.assert(
    fc.property(sizes, ({ rows, columns, elementBytes }) => {
      const bytes = Uint8Array.from({ length: rows * columns * elementBytes }, (_, at) => (at * 31 + (at >> 8)) % 251);
      const result = transposeBytes(bytes, rows, columns, elementBytes);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const from = (row * columns + column) * elementBytes;
          const to = (column * rows + row) * elementBytes;
          assert.deepEqual(result.subarray(to, to + elementBytes), bytes.subarray(from, from + elementBytes));
        }
      }
    }),
    { numRuns: 30 },
  );
});

test("bytes that are not such a matrix are refused", () => {
  assert.throws(() => transposeBytes(new Uint8Array(10), 2, 3, 2), RangeError);
  assert.throws(() => transposeBytes(new Uint8Array(18), 2, 3, 3), RangeError);
});
