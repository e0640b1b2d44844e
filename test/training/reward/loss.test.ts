/** @file The loss on preferences is PyTorch's, with its derivatives, and that of cases worked by hand. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Program } from "../../../src/autodiff/program.ts";
import { comparisonArrays, type LossType } from "../../../src/training/reward/batch.ts";
import type { Comparison } from "../../../src/training/reward/comparisons.ts";
import { outputGradients } from "../../../src/training/model/gradient-program.ts";
import { preferenceLoss } from "../../../src/training/reward/loss.ts";
import { choicesOf, type Ranking } from "../../../src/training/data/ranking.ts";
import { assertClose } from "../../autodiff/assert-close.ts";
import { runProgram } from "../../autodiff/run-program.ts";
import { definedOf, exactBatch, lossGoldens } from "./reward-goldens.ts";

interface Case {
  /** Rankings of each comparison, by measure. */
  rankings: (Ranking | undefined)[][];
  /** Outputs of each comparison, [K, D] flat. */
  outputs: number[][];
  weights?: number[];
  lossType?: LossType;
  centring?: number;
}

/** The loss as the mean over labels, its derivative by each comparison's outputs, and the rewards [N, M]. */
async function lossOf({ rankings, outputs, weights = [1], lossType = "bradley-terry", centring = 0 }: Case): Promise<{
  loss: number;
  gradients: number[][];
  rewards: number[];
}> {
  const D = weights.length;
  const comparisons = rankings.map((byMeasure, index): Comparison => ({
    answers: Array.from({ length: outputs[index]!.length / D }, () => ({ ids: Int32Array.of(1) })),
    rankings: byMeasure,
  }));
  const { batch, sizes } = exactBatch(
    comparisons.map((comparison) => [comparison]),
    D,
    lossType,
  );
  const program = new Program();
  const raw = program.parameter("outputs", [sizes.answers, D]);
  const loss = preferenceLoss(program, raw, sizes);
  outputGradients(program, loss, new Map([["outputs", raw]]), { recompute: "cheap", accumulate: false });
  const found = await runProgram(program, {
    ...comparisonArrays(batch, sizes, { weights, centring }),
    outputs: Float32Array.from(outputs.flat()),
    scale: Float32Array.of(1 / batch.labels),
  });
  let at = 0;
  const gradients = outputs.map(({ length }) => found["gradient:outputs"]!.slice(at, (at += length)));
  return { loss: found["loss"]![0]!, gradients, rewards: found["rewards"]! };
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

describe("the loss on preferences", () => {
  for (const [name, golden] of Object.entries(lossGoldens())) {
    test(`is PyTorch's for ${name}, with its derivatives`, async () => {
      const { loss, gradients } = await lossOf({ ...golden, rankings: golden.rankings.map(definedOf) });
      assertClose([loss], [golden.loss], 1e-6, "loss");
      assertClose(gradients.flat(), golden.gradients.flat(), 3e-6, "derivatives");
    });
  }

  test("of a pair is -log sigmoid of the difference less the margin", async () => {
    const pair = async (chosen: number, rejected: number, margin?: number): Promise<number> =>
      (await lossOf({ rankings: [[{ ranks: [1, 2], margin }]], outputs: [[chosen, rejected]] })).loss;
    assertClose([await pair(2, 2)], [Math.log(2)], 1e-6, "equal rewards");
    assertClose([await pair(3, 1)], [-Math.log(sigmoid(2))], 1e-6, "chosen above");
    assertClose([await pair(3, 1, 2)], [Math.log(2)], 1e-6, "above by just the margin");
    assertClose([await pair(1, 3, 1.5)], [-Math.log(sigmoid(-3.5))], 1e-6, "below, and a margin on top");
    assertClose([await pair(1000, 999)], [-Math.log(sigmoid(1))], 1e-6, "large rewards cost no digits");
    assertClose([await pair(-200, 200)], [400], 1e-6, "however wrong it is, it is finite");
  });

  test("of two orders of the same pair adds to the chosen's reward what it takes from the other's", async () => {
    const { gradients } = await lossOf({ rankings: [[{ ranks: [1, 2] }]], outputs: [[0.5, -0.25]] });
    const expected = sigmoid(-0.75);
    assertClose(gradients[0]!, [-expected, expected], 1e-6, "derivatives");
  });

  test("of a list is the mean over its choices: the best of all, then the best of the rest", async () => {
    // Ranks 2, 1, 3: first the second answer of three, then the first of the two that are left.
    const { loss } = await lossOf({
      rankings: [[{ ranks: [2, 1, 3] }]],
      outputs: [[0, Math.log(2), Math.log(3)]],
      lossType: "plackett-luce",
    });
    assertClose([loss], [(-Math.log(2 / 6) - Math.log(1 / 4)) / 2], 1e-6, "loss");
  });

  test("takes each of those that tie from itself, those it ties with and those below", async () => {
    assert.deepEqual(choicesOf({ ranks: [2, 1, 2, 3] }), [
      { chosen: 0, among: [0, 2, 3] },
      { chosen: 1, among: [0, 1, 2, 3] },
      { chosen: 2, among: [0, 2, 3] },
    ]);
    const { loss, gradients } = await lossOf({ rankings: [[{ ranks: [1, 1] }]], outputs: [[1, 0]], lossType: "plackett-luce" });
    assertClose([loss], [-(Math.log(sigmoid(1)) + Math.log(sigmoid(-1))) / 2], 1e-6, "loss");
    const pull = (sigmoid(1) - sigmoid(-1)) / 2;
    assertClose(gradients[0]!, [pull, -pull], 1e-6, "a tie draws rewards together");
  });

  test("of a dimension that the row does not label is none, and the holistic one is of the weighted sum", async () => {
    const outputs = [[1, 0, -1, 2]];
    const rankings = [[{ ranks: [1, 2] }, undefined, { ranks: [1, 2], margin: 1 }]];
    const { loss, gradients, rewards } = await lossOf({ rankings, outputs, weights: [0.75, 0.25] });
    // Rewards: 1 and -1 by the first dimension, 0.75 and -0.25 all in all.
    assertClose(rewards, [1, 0, 0.75, -1, 2, -0.25], 1e-6, "rewards by measure");
    assertClose([loss], [(-Math.log(sigmoid(2)) - Math.log(sigmoid(1 - 1))) / 2], 1e-6, "loss");
    const [first, holistic] = [sigmoid(-2) / 2, 0.5 / 2];
    assertClose(gradients[0]!, [-first - 0.75 * holistic, -0.25 * holistic, first + 0.75 * holistic, 0.25 * holistic], 1e-6, "derivatives");
  });

  test("is drawn to rewards around zero by the square of a pair's sum, and of a list's doubled mean", async () => {
    const pair = await lossOf({ rankings: [[{ ranks: [1, 2] }]], outputs: [[3, 1]], centring: 0.01 });
    assertClose([pair.loss], [-Math.log(sigmoid(2)) + 0.01 * 16], 1e-6, "pair");
    const outputs = [[Math.log(2), Math.log(2), Math.log(2)]];
    const list = await lossOf({ rankings: [[{ ranks: [1, 2, 3] }]], outputs, centring: 0.1, lossType: "plackett-luce" });
    assertClose([list.loss], [(Math.log(3) + Math.log(2)) / 2 + 0.1 * (2 * Math.log(2)) ** 2], 1e-6, "list");
  });

  test("of pairs, ties included, is the same by either type", async () => {
    const rankings = [[{ ranks: [1, 2], margin: 0.3 }], [{ ranks: [1, 1] }], [{ ranks: [2, 1] }]];
    const outputs = [[0.1, 0.7], [2, -1], [1, 3]]; // prettier-ignore
    const [byPairs, byLists] = [await lossOf({ rankings, outputs }), await lossOf({ rankings, outputs, lossType: "plackett-luce" })];
    assert.deepEqual(byPairs, byLists);
  });

  test("of answers that all tie is least where their rewards are the same, and a constant on all rewards changes nothing", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 5 }),
        fc.double({ min: -3, max: 3, noNaN: true }),
        fc.constantFrom<LossType>("bradley-terry", "plackett-luce"),
        async (ranks, shift, lossType) => {
          const raw = ranks.map((_, index) => Math.sin(index * 7));
          const of = async (outputs: number[], as = ranks): Promise<number> =>
            (await lossOf({ rankings: [[{ ranks: as }]], outputs: [outputs], lossType })).loss;
          assertClose([await of(raw.map((reward) => reward + shift))], [await of(raw)], 1e-5, "shifted");
          const tied = ranks.map(() => 1);
          assert.ok((await of(ranks.map(() => 0.5), tied)) < (await of(raw, tied))); // prettier-ignore
        },
      ),
      { numRuns: 20 },
    );
  });
});
