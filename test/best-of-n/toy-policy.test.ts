/**
 * @file A policy of a few answers with known probabilities: what choosing among N of its samples gives, against what
 * theory says.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { klBoundNats } from "../../src/best-of-n/result.ts";
import { rankByScore } from "../../src/best-of-n/strategies/ranking.ts";
import { rankSoftly } from "../../src/best-of-n/strategies/soft.ts";
import { candidateSeed, selectionDraw, uniform } from "../../src/random/philox.ts";

/** Probabilities and rewards of the answers; rewards have no ties. */
interface ToyPolicy {
  probabilities: readonly number[];
  rewards: readonly number[];
}

const few: ToyPolicy = { probabilities: [0.5, 0.3, 0.15, 0.05], rewards: [0, 1, 0.5, 2] };
const many: ToyPolicy = {
  probabilities: Array.from({ length: 2000 }, () => 1 / 2000),
  rewards: Array.from({ length: 2000 }, (_, answer) => (answer * 777) % 2000),
};

/** Samples as the engine does: candidate i of a request by the seed `candidateSeed(seed, i)`. */
function sample({ probabilities }: ToyPolicy, seed: number, index: number): number {
  const draw = uniform(candidateSeed(seed, index), 0);
  let mass = 0;
  for (const [answer, probability] of probabilities.entries()) {
    mass += probability;
    if (draw < mass) return answer;
  }
  return probabilities.length - 1;
}

/** P(the best of N is this answer) = F(r)^N - F(r-)^N, F the policy's distribution of rewards. */
function bestOfDistribution({ probabilities, rewards }: ToyPolicy, samples: number): number[] {
  return probabilities.map((probability, answer) => {
    const below = probabilities.reduce((sum, other, at) => (rewards[at]! < rewards[answer]! ? sum + other : sum), 0);
    return (below + probability) ** samples - below ** samples;
  });
}

/** In nats. */
function klDivergence(chosen: readonly number[], policy: readonly number[]): number {
  return chosen.reduce(
    (sum, probability, answer) => (probability === 0 ? sum : sum + probability * Math.log(probability / policy[answer]!)),
    0,
  );
}

function frequencies(policy: ToyPolicy, samples: number, requests: number, pick: (rewards: number[], seed: number) => number): number[] {
  const counts = policy.probabilities.map(() => 0);
  for (let seed = 1; seed <= requests; seed++) {
    const answers = Array.from({ length: samples }, (_, index) => sample(policy, seed, index));
    const picked = pick(
      answers.map((answer) => policy.rewards[answer]!),
      seed,
    );
    counts[answers[picked]!]!++;
  }
  return counts.map((count) => count / requests);
}

const best = (rewards: number[]): number => rankByScore(rewards.map((score, index) => ({ index, score })))[0]!.index;
const requests = 20_000;

describe("the best of N samples of a fixed distribution", () => {
  for (const samples of [1, 2, 4, 8, 16]) {
    test(`is each answer as often as theory says for N = ${samples}, and its divergence is below the bound`, () => {
      const expected = bestOfDistribution(few, samples);
      frequencies(few, samples, requests, best).forEach((frequency, answer) => {
        const probability = expected[answer]!;
        assert.ok(Math.abs(frequency - probability) <= 5 * Math.sqrt((probability * (1 - probability)) / requests) + 1e-12);
      });
      assert.ok(klDivergence(expected, few.probabilities) <= klBoundNats(samples) + 1e-12);
    });
  }

  test("comes to the bound itself where every answer is unlikely", () => {
    for (const [samples, nats] of [
      [2, 0.193],
      [4, 0.636],
      [16, 1.835],
      [64, 3.175],
    ] as const) {
      assert.ok(Math.abs(klBoundNats(samples) - nats) < 1e-3);
      const divergence = klDivergence(bestOfDistribution(many, samples), many.probabilities);
      assert.ok(divergence <= klBoundNats(samples) && divergence > klBoundNats(samples) - 0.01, `${samples}: ${divergence}`);
    }
    assert.equal(klBoundNats(1), 0);
  });
});

describe("a soft choice among N samples", () => {
  test("is each answer as often as the sum over all possible samples says, and diverges less than the best of N", () => {
    const [samples, temperature] = [3, 0.7];
    const expected = few.probabilities.map(() => 0);
    const answers = [...few.probabilities.keys()];
    for (const one of answers) {
      for (const two of answers) {
        for (const three of answers) {
          const drawn = [one, two, three];
          const probability = drawn.reduce((product, answer) => product * few.probabilities[answer]!, 1);
          const weights = drawn.map((answer) => Math.exp(few.rewards[answer]! / temperature));
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          drawn.forEach((answer, at) => (expected[answer]! += (probability * weights[at]!) / total));
        }
      }
    }
    const pick = (rewards: number[], seed: number): number =>
      rankSoftly(
        rewards.map((score, index) => ({ index, score })),
        temperature,
        (index) => selectionDraw(seed, index),
      )[0]!.index;
    frequencies(few, samples, requests, pick).forEach((frequency, answer) => {
      const probability = expected[answer]!;
      assert.ok(Math.abs(frequency - probability) <= 5 * Math.sqrt((probability * (1 - probability)) / requests));
    });
    const soft = klDivergence(expected, few.probabilities);
    assert.ok(soft > 0 && soft < klDivergence(bestOfDistribution(few, samples), few.probabilities));
  });
});
