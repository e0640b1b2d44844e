/**
 * @file Tests of the random streams: Random123's known answers, and statistics along positions, seeds and candidates.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { candidateSeed, philox4x32, selectionDraw, uniform } from "../../src/random/philox.ts";

const largestSeed = Number.MAX_SAFE_INTEGER;
const seeds = fc.integer({ min: 0, max: largestSeed });

/**
 * Pearson's statistic of `draws` in equal bins, as standard deviations from its mean (normal approximation for many
 * bins).
 */
function chiSquareDeviation(draws: Float64Array, bins: number): number {
  const counts = new Float64Array(bins);
  for (const draw of draws) counts[Math.floor(draw * bins)]! += 1;
  const expected = draws.length / bins;
  let statistic = 0;
  for (const count of counts) statistic += (count - expected) ** 2 / expected;
  return (statistic - (bins - 1)) / Math.sqrt(2 * (bins - 1));
}

/**
 * Correlation of two samples of uniforms, times the square root of their length: standard normal where they are
 * independent.
 */
function correlationDeviation(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - 0.5) * (b[i]! - 0.5);
  return (sum / a.length) * 12 * Math.sqrt(a.length);
}

/** The multiply-high of 10 Philox rounds written with BigInt: slow and obvious. */
function philoxReference(counter: bigint[], key: bigint[]): bigint[] {
  const mask = 0xffffffffn;
  let [c0, c1, c2, c3] = counter as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3];
}

describe("philox4x32", () => {
  test("gives Random123's known answers (kat_vectors, philox4x32 10)", () => {
    const ones = 0xffffffff;
    assert.deepEqual(philox4x32([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    assert.deepEqual(philox4x32([ones, ones, ones, ones], [ones, ones]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    assert.deepEqual(
      philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    );
  });

  test("equals the same rounds in 64-bit integers", () => {
    const word = fc.oneof(
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.constantFrom(0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff),
    );
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
        assert.deepEqual(philox4x32(counter, key).map(BigInt), philoxReference(counter.map(BigInt), key.map(BigInt)));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("uniform", () => {
  test("lies in [0, 1) on a grid of 2^-53 and depends on its arguments alone", () => {
    fc.assert(
      fc.property(seeds, seeds, (seed, position) => {
        const draw = uniform(seed, position);
        assert.ok(draw >= 0 && draw < 1);
        assert.ok(Number.isInteger(draw * 2 ** 53));
        assert.equal(uniform(seed, position), draw);
      }),
    );
  });

  test("takes its 53 bits from the first two words of the block whose key is the seed and whose counter is the position", () => {
    const seed = 0x1234_5678_9abc_d;
    const position = 0x1_0000_0007;
    const words = philox4x32([7, 1, 0, 0], [seed >>> 0, Math.floor(seed / 2 ** 32)]);
    assert.equal(uniform(seed, position), Number((BigInt(words[0] >>> 5) << 26n) | BigInt(words[1] >>> 6)) / 2 ** 53);
  });

  test("uses every bit of seed and position", () => {
    for (let bit = 0; bit < 53; bit++) {
      assert.notEqual(uniform(0, 2 ** bit), uniform(0, 0));
      assert.notEqual(uniform(2 ** bit, 0), uniform(0, 0));
    }
  });

  const length = 200_000;
  const streams: [name: string, draw: (i: number) => number][] = [
    ["positions of one seed", (i) => uniform(42, i)],
    ["positions of seed 0", (i) => uniform(0, i)],
    ["adjacent seeds at one position", (i) => uniform(i, 0)],
    ["adjacent large seeds at one position", (i) => uniform(largestSeed - i, 17)],
    ["seeds of candidates at one position", (i) => uniform(candidateSeed(7, i), 3)],
    ["diagonal of seeds and positions", (i) => uniform(i, i)],
  ];
  for (const [name, draw] of streams) {
    test(`is uniform and uncorrelated along ${name}`, () => {
      const draws = Float64Array.from({ length }, (_, i) => draw(i));
      // Low bits too: a generator that is uniform in its leading bits only would repeat tokens of tiny probability.
      const lowBits = draws.map((value) => (value * 2 ** 26) % 1);
      for (const sample of [draws, lowBits]) {
        assert.ok(Math.abs(chiSquareDeviation(sample, 1024)) < 5);
        for (const lag of [1, 2, 3, 8, 32, 64, 1024]) {
          assert.ok(Math.abs(correlationDeviation(sample.subarray(0, -lag), sample.subarray(lag))) < 5, `lag ${lag}`);
        }
      }
      // Pairs of neighbours fill the square evenly.
      const pairs = Float64Array.from({ length: length / 2 }, (_, i) => (Math.floor(draws[2 * i]! * 32) + draws[2 * i + 1]!) / 32);
      assert.ok(Math.abs(chiSquareDeviation(pairs, 1024)) < 5);
    });
  }

  test("flips half of the output bits when one bit of the input flips", () => {
    const trials = 500;
    for (const flip of ["seed", "position"] as const) {
      let flipped = 0;
      for (let trial = 0; trial < trials; trial++) {
        const seed = candidateSeed(1, trial + 1);
        const bit = 2 ** (trial % 31);
        const before = uniform(seed, trial);
        const after =
          flip === "seed" ? uniform(Math.floor(seed / bit) % 2 === 1 ? seed - bit : seed + bit, trial) : uniform(seed, trial ^ bit);
        let difference = BigInt(before * 2 ** 53) ^ BigInt(after * 2 ** 53);
        for (; difference > 0n; difference >>= 1n) flipped += Number(difference & 1n);
      }
      const deviation = (flipped - (trials * 53) / 2) / Math.sqrt((trials * 53) / 4);
      assert.ok(Math.abs(deviation) < 5, `${flip}: ${deviation}`);
    }
  });
});

describe("candidateSeed", () => {
  test("gives the first candidate the request's own seed, so that every candidate can be had alone", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 10_000 }), (seed, index) => {
        const own = candidateSeed(seed, index);
        assert.ok(Number.isSafeInteger(own) && own >= 0);
        assert.equal(candidateSeed(seed, 0), seed);
        assert.equal(candidateSeed(own, 0), own);
      }),
    );
  });

  test("does not repeat among many requests of neighbouring seeds with many candidates", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 500; seed++) for (let index = 0; index < 200; index++) seen.add(candidateSeed(seed, index));
    assert.equal(seen.size, 500 * 200);
  });
});

test("draws among candidates are no draws of tokens, and one for each candidate", () => {
  const drawn = Array.from({ length: 100 }, (_, index) => selectionDraw(5, index));
  assert.equal(new Set([...drawn, ...Array.from({ length: 100 }, (_, index) => uniform(5, index))]).size, 200);
  for (const value of drawn) assert.ok(value >= 0 && value < 1);
});
