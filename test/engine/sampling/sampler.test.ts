/**
 * @file Tests of the sampler: the fast path against the full one to the bit, both against the slow twin, and
 * frequencies against the distribution.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { uniform } from "../../../src/random/philox.ts";
import type { SamplingParams } from "../../../src/engine/contract/request.ts";
import {
  inverseTemperature,
  isGreedy,
  sampleFromFull,
  sampleFromTop,
  type TopLogits,
  plainSampling,
} from "../../../src/engine/sampling/sampler.ts";
import { TokenHistory } from "../../../src/engine/sampling/penalties.ts";
import { referenceDistribution } from "./sampler-reference.ts";

const noHistory = new TokenHistory(new Set());

/**
 * What the model's head gives for a row: the K largest and Z, here with the head's float32 arithmetic in its own order.
 */
function headOf(logits: Float32Array, k: number, params: SamplingParams): TopLogits {
  const ranked = [...logits.keys()].toSorted((a, b) => (logits[a] === logits[b] ? a - b : logits[b]! - logits[a]!)).slice(0, k);
  const values = Float32Array.from(ranked, (id) => logits[id]!);
  const scale = inverseTemperature(params);
  let normaliser = 0;
  for (const logit of logits)
    normaliser = Math.fround(normaliser + Math.fround(Math.exp(Math.fround(Math.fround(logit - values[0]!) * scale))));
  return { values, ids: Int32Array.from(ranked), normaliser };
}

const finiteLogit = fc.oneof(
  { weight: 6, arbitrary: fc.float({ min: -20, max: 20, noNaN: true }) },
  { weight: 3, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 88, -88, 1e30, -1e30, 3.4e38, -3.4e38, 1e-40) },
);
const logitRow = fc
  .oneof(
    {
      weight: 4,
      arbitrary: fc.array(fc.oneof({ weight: 9, arbitrary: finiteLogit }, { weight: 1, arbitrary: fc.constant(-Infinity) }), {
        minLength: 1,
        maxLength: 120,
      }),
    },
    { weight: 2, arbitrary: fc.array(fc.float({ min: -6, max: 6, noNaN: true }), { minLength: 1, maxLength: 120 }) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 120 }) },
    // Long rows, flat or peaked, from a seed: they reach the sorted head's second and third size.
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 200, max: 6000 }), fc.constantFrom(0.1, 1, 4))
        .map(([seed, length, spread]) => Array.from({ length }, (_, i) => Math.log(1e-9 + uniform(seed, i)) * spread)),
    },
  )
  .filter((row) => row.some(Number.isFinite))
  .map((row) => Float32Array.from(row));
const unit = fc.oneof(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.constantFrom(0, 0.5, 1 - 2 ** -53, 1e-12));
const truncation = fc.record({
  temperature: fc.oneof(fc.constantFrom(0, 1e-3, 0.01, 1, 2), fc.double({ min: 1e-3, max: 2, noNaN: true })),
  topK: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 150 }), fc.constantFrom(1, 5000)),
  topP: fc.oneof(fc.constantFrom(0, 1, 0.95, 0.5), fc.double({ min: 0, max: 1, noNaN: true })),
  minP: fc.oneof(fc.constantFrom(0, 0, 1, 0.05), fc.double({ min: 0, max: 1, noNaN: true })),
});
const paramsOf = fc
  .oneof(
    { weight: 1, arbitrary: truncation },
    { weight: 1, arbitrary: truncation.map((some) => ({ temperature: some.temperature, topP: some.topP })) },
  )
  .map((some) => ({ ...plainSampling, ...some }));

const isInternal = (error: unknown): boolean => error instanceof BonsaiError && error.code === "internal";

describe("sampleFromTop", () => {
  test("gives the token that sampleFromFull gives, whenever it gives one", () => {
    let answered = 0;
    let asked = 0;
    fc.assert(
      fc.property(logitRow, fc.integer({ min: 1, max: 64 }), paramsOf, unit, (logits, k, params, draw) => {
        const top = headOf(logits, Math.min(k, logits.length), params);
        const fast = sampleFromTop(top, params, draw);
        asked += 1;
        if (fast === undefined) return;
        answered += 1;
        assert.deepEqual(fast, sampleFromFull(logits, params, noHistory, draw, top.normaliser));
      }),
      { numRuns: 3000 },
    );
    assert.ok(answered > asked / 3, `only ${answered} of ${asked} were answered`);
  });

  test("gives that token for draws on the borders between tokens, where one rounding more would change it", () => {
    fc.assert(
      fc.property(logitRow, fc.integer({ min: 1, max: 64 }), paramsOf, fc.nat(), (logits, k, params, pick) => {
        const top = headOf(logits, Math.min(k, logits.length), params);
        const weights = Array.from(top.values, (value) => Math.exp((value - top.values[0]!) * inverseTemperature(params)));
        const border = weights.slice(0, 1 + (pick % weights.length)).reduce((sum, weight) => sum + weight, 0) / top.normaliser;
        for (const draw of [border, border * (1 - 2 ** -53), border * (1 + 2 ** -52), border * params.topP]) {
          if (draw >= 1) continue;
          const fast = sampleFromTop(top, params, draw);
          if (fast !== undefined) assert.deepEqual(fast, sampleFromFull(logits, params, noHistory, draw, top.normaliser));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("answers whenever the truncated set lies within the known tokens, and draws from it alone", () => {
    fc.assert(
      fc.property(logitRow, paramsOf, unit, (logits, params, draw) => {
        const kept = referenceDistribution(logits, params);
        const truncated =
          params.temperature === 0 || (params.topK > 0 && params.topK < logits.length) || params.topP < 1 || params.minP > 0;
        // One known token more than the set, since a set that ends at the last known one may go on beyond.
        const k = Math.min(logits.length, kept.length + 2);
        if (!truncated || (params.topP < 1 && params.topK > k)) return;
        const sampled = sampleFromTop(headOf(logits, k, params), params, draw * 0.999);
        assert.ok(sampled !== undefined || k === logits.length);
      }),
      { numRuns: 2000 },
    );
  });

  test("refuses a draw beyond the known tokens instead of guessing", () => {
    const logits = Float32Array.from({ length: 100 }, () => 0);
    const top = headOf(logits, 64, plainSampling);
    assert.deepEqual(sampleFromTop(top, plainSampling, 0.639), { tokenId: 63, logit: 0 });
    assert.equal(sampleFromTop(top, plainSampling, 0.641), undefined);
    assert.equal(sampleFromTop(top, { ...plainSampling, minP: 0.5 }, 0.99), undefined);
    assert.equal(sampleFromTop(top, { ...plainSampling, topP: 0.9 }, 0.8), undefined);
    assert.deepEqual(sampleFromTop(top, { ...plainSampling, topP: 0.9 }, 0.5), { tokenId: 45, logit: 0 });
    assert.deepEqual(sampleFromTop(top, { ...plainSampling, topK: 80 }, 0.01), { tokenId: 0, logit: 0 });
    assert.equal(sampleFromTop(top, { ...plainSampling, topK: 80 }, 0.5), undefined);
  });

  test("throws instead of sampling from a row that is not numbers", () => {
    const ids = Int32Array.of(0, 1);
    for (const temperature of [0, 1]) {
      const params = { ...plainSampling, temperature };
      for (const value of [NaN, Infinity, -Infinity]) {
        assert.throws(() => sampleFromTop({ values: Float32Array.of(value, 0), ids, normaliser: 2 }, params, 0.5), isInternal);
      }
      for (const normaliser of [NaN, Infinity, 0, -1]) {
        assert.throws(() => sampleFromTop({ values: Float32Array.of(1, 0), ids, normaliser }, params, 0.5), isInternal);
      }
      assert.throws(() => sampleFromTop({ values: new Float32Array(0), ids, normaliser: 1 }, params, 0.5), isInternal);
    }
    assert.throws(() => sampleFromTop({ values: Float32Array.of(1, NaN), ids, normaliser: 2 }, plainSampling, 0.9), isInternal);
  });
});

describe("sampleFromFull", () => {
  test("gives the token of the slow twin's inverse distribution", () => {
    fc.assert(
      fc.property(logitRow, paramsOf, fc.double({ min: 0, max: 0.9999, noNaN: true }), (logits, params, draw) => {
        const { tokenId, logit } = sampleFromFull(logits, params, noHistory, draw);
        assert.equal(logit, logits[tokenId]);
        const kept = referenceDistribution(logits, params);
        const rank = kept.findIndex((token) => token.tokenId === tokenId);
        // The twin divides by T in float64 and normalises after each step, so borders differ in the last digits, and so
        // a truncated set may differ by tokens as likely as its last.
        const tolerance = 1e-4;
        const least = kept.at(-1)!.probability;
        const slack = kept.reduce((sum, { probability }) => (probability <= least * (1 + tolerance) ? sum + probability : sum), tolerance);
        if (rank === -1) {
          const last = logits[kept.at(-1)!.tokenId]!;
          assert.ok(Math.abs(last - logit) <= tolerance * Math.max(1, Math.abs(last)), `token ${tokenId} is outside the set`);
          return;
        }
        const before = kept.slice(0, rank).reduce((sum, token) => sum + token.probability, 0);
        assert.ok(draw >= before - slack && draw <= before + kept[rank]!.probability + slack, `rank ${rank}`);
      }),
      { numRuns: 2000 },
    );
  });

  const rows: [name: string, params: Partial<SamplingParams>][] = [
    ["temperature 1", {}],
    ["temperature 0.7", { temperature: 0.7 }],
    ["temperature 2", { temperature: 2 }],
    ["top_k 5", { topK: 5 }],
    ["top_p 0.8", { topP: 0.8 }],
    ["min_p 0.2", { minP: 0.2 }],
    ["all three", { temperature: 1.3, topK: 12, topP: 0.9, minP: 0.1 }],
  ];
  for (const [name, some] of rows) {
    test(`draws each token as often as its probability says, in both paths, with ${name}`, () => {
      const params = { ...plainSampling, ...some };
      const logits = Float32Array.from({ length: 40 }, (_, i) => 3 * Math.cos(i * 1.7));
      const kept = referenceDistribution(logits, params);
      const top = headOf(logits, 10, params);
      const draws = 20_000;
      const counts = new Map<number, number>();
      for (let i = 0; i < draws; i++) {
        const draw = uniform(11, i);
        const { tokenId } = sampleFromTop(top, params, draw) ?? sampleFromFull(logits, params, noHistory, draw, top.normaliser);
        counts.set(tokenId, (counts.get(tokenId) ?? 0) + 1);
      }
      let statistic = 0;
      for (const { tokenId, probability } of kept) {
        const expected = probability * draws;
        statistic += ((counts.get(tokenId) ?? 0) - expected) ** 2 / expected;
        counts.delete(tokenId);
      }
      assert.equal(counts.size, 0, "a token outside the truncated set was drawn");
      const freedom = kept.length - 1;
      assert.ok(
        statistic < freedom + 5 * Math.sqrt(2 * Math.max(1, freedom)) + 10,
        `chi-square ${statistic} with ${freedom} degrees of freedom`,
      );
    });
  }

  test("takes the lowest id of equally likely tokens when greedy, in both paths", () => {
    const params = { ...plainSampling, temperature: 0 };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 50 }), unit, (row, draw) => {
        const logits = Float32Array.from(row);
        const expected = { tokenId: row.indexOf(Math.max(...row)), logit: Math.max(...row) };
        assert.deepEqual(sampleFromFull(logits, params, noHistory, draw), expected);
        assert.deepEqual(sampleFromTop(headOf(logits, Math.min(4, row.length), params), params, draw), expected);
      }),
    );
  });

  test("treats 0 and -0 as a tie", () => {
    const params = { ...plainSampling, topK: 1 };
    assert.equal(sampleFromFull(Float32Array.of(-1, -0, 0), params, noHistory, 0.3).tokenId, 1);
  });

  test("never draws a token of logit -Infinity", () => {
    const logits = Float32Array.of(-Infinity, 1, -Infinity, 0, -Infinity);
    for (let i = 0; i < 200; i++) {
      for (const params of [plainSampling, { ...plainSampling, topK: 4 }, { ...plainSampling, topP: 0.99999 }]) {
        assert.ok([1, 3].includes(sampleFromFull(logits, params, noHistory, uniform(1, i)).tokenId));
      }
    }
    assert.ok([1, 3].includes(sampleFromFull(logits, plainSampling, noHistory, 1 - 2 ** -53, 1.37).tokenId));
  });

  test("throws instead of sampling from a row that is not numbers", () => {
    for (const temperature of [0, 1e-3, 1]) {
      for (const some of [{}, { topK: 2 }, { topP: 0.5 }, { minP: 0.5 }, { presencePenalty: 1 }]) {
        const params = { ...plainSampling, temperature, ...some };
        for (const row of [[0, NaN, 1], [Infinity, 0, 1], [NaN], [-Infinity, -Infinity], []]) {
          assert.throws(
            () => sampleFromFull(Float32Array.from(row), params, noHistory, 0.5),
            isInternal,
            `${temperature} ${JSON.stringify(some)} ${row.join()}`,
          );
        }
      }
    }
    assert.throws(() => sampleFromFull(Float32Array.of(1, 2), plainSampling, noHistory, 0.5, NaN), isInternal);
  });

  test("goes on where the fast path stops: the pair draws by one distribution over a large vocabulary", () => {
    const logits = Float32Array.from({ length: 49_152 }, (_, i) => 4 * Math.log(1e-6 + uniform(5, i)) + 12 * uniform(6, i));
    for (const some of [{}, { topP: 0.9 }, { topK: 1000 }, { minP: 1e-4 }]) {
      const params = { ...plainSampling, ...some };
      const top = headOf(logits, 64, params);
      const ranked = referenceDistribution(logits, params);
      const rankOf = new Map(ranked.map(({ tokenId }, rank) => [tokenId, rank]));
      let previous = -1;
      for (let i = 0; i < 100; i++) {
        const draw = i / 100;
        const { tokenId } = sampleFromTop(top, params, draw) ?? sampleFromFull(logits, params, noHistory, draw, top.normaliser);
        const rank = rankOf.get(tokenId)!;
        assert.ok(rank >= previous, "ranks rise with the draw");
        previous = rank;
      }
      assert.ok(previous > 64);
    }
  });
});

describe("inverseTemperature", () => {
  test("is the float32 that the graph gets, and finite for every temperature", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2, noNaN: true }), (temperature) => {
        const inverse = inverseTemperature({ ...plainSampling, temperature });
        assert.equal(Math.fround(inverse), inverse);
        assert.ok(Number.isFinite(inverse) && inverse > 0);
      }),
    );
    assert.ok(isGreedy({ ...plainSampling, temperature: 0 }));
    assert.ok(!isGreedy({ ...plainSampling, temperature: 1e-3 }));
  });
});
