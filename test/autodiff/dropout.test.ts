/**
 * @file Dropout masks: shares, independence of neighbours, streams and seeds, and that they are a function of these
 * alone.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dropoutMask } from "../../src/autodiff/operations.ts";
import { Program } from "../../src/autodiff/program.ts";
import { runProgram } from "./run-program.ts";

const rows = 128;
const columns = 96;
const size = rows * columns;

async function mask(rate: number, stream: number, seed: [number, number]): Promise<number[]> {
  const program = new Program();
  program.output("mask", dropoutMask(program.input("seed", "int32", [2]), rate, stream, [rows, columns]));
  return (await runProgram(program, { seed: Int32Array.from(seed) }))["mask"]!;
}

/** Correlation of what is dropped: within 5 standard errors of 0 for masks that have nothing to do with each other. */
function assertIndependent(a: readonly number[], b: readonly number[], what: string): void {
  const dropped = (values: readonly number[]): number[] => values.map((value) => Number(value === 0));
  const [x, y] = [dropped(a), dropped(b)];
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  const covariance = mean(x.map((value, at) => (value - meanX) * (y[at]! - meanY)));
  const correlation = covariance / Math.sqrt(meanX * (1 - meanX) * meanY * (1 - meanY));
  assert.ok(Math.abs(correlation) < 5 / Math.sqrt(x.length), `${what}: correlation ${correlation}`);
}

describe("a dropout mask", () => {
  for (const rate of [0.05, 0.1, 0.5, 0.9]) {
    test(`drops ${rate} of all values and scales up the others`, async () => {
      const values = await mask(rate, 0, [1, 2]);
      assert.deepEqual(new Set(values), new Set([0, Math.fround(1 / (1 - rate))]));
      const share = values.filter((value) => value === 0).length / size;
      assert.ok(Math.abs(share - rate) < 5 * Math.sqrt((rate * (1 - rate)) / size), `share ${share}`);
    });
  }

  test("drops nothing at rate 0", async () => {
    assert.deepEqual(new Set(await mask(0, 3, [5, 7])), new Set([1]));
  });

  test("is the same for the same seed and stream", async () => {
    assert.deepEqual(await mask(0.3, 4, [-9, 12]), await mask(0.3, 4, [-9, 12]));
  });

  test("has nothing to do with its neighbours, other streams and other seeds", async () => {
    const seeds: [number, number][] = [
      [1, 2],
      [-1_234_567, 89],
      [2 ** 31 - 1, -(2 ** 31)],
    ];
    for (const seed of seeds) {
      const values = await mask(0.3, 0, seed);
      for (const lag of [1, 2, 3, 5, columns - 1, columns, columns + 1, 2 * columns]) {
        assertIndependent(values.slice(lag), values.slice(0, -lag), `seed ${seed.join()}, lag ${lag}`);
      }
      assertIndependent(values, await mask(0.3, 1, seed), `seed ${seed.join()}, the next stream`);
      assertIndependent(values, await mask(0.3, 0, [seed[0], seed[1] ^ 1]), `seed ${seed.join()}, the next second word`);
      assertIndependent(values, await mask(0.3, 0, [seed[0] ^ 1, seed[1]]), `seed ${seed.join()}, the next first word`);
    }
  });
});
