/**
 * @file The losses that tune a policy are PyTorch's, with their derivatives; those agree with finite differences; and
 * what each loss is for holds.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { gradients } from "../../../src/autodiff/gradients.ts";
import { reshape } from "../../../src/autodiff/operations.ts";
import { Program } from "../../../src/autodiff/program.ts";
import { pairLosses, type PairLossName } from "../../../src/training/preference/losses.ts";
import { policyLoss, type PolicyObjective } from "../../../src/training/preference/programs.ts";
import { assertClose } from "../../autodiff/assert-close.ts";
import { runProgram, type Feeds } from "../../autodiff/run-program.ts";
import { policyLossGoldens } from "./policy-goldens.ts";

const settings = { beta: 0.1, labelSmoothing: 0.1, discopopTau: 0.05, gammaBetaRatio: 0.5 };

/** [first, second] of each pair, one after the other. */
const interleaved = (first: readonly number[], second: readonly number[]): number[] => first.flatMap((value, at) => [value, second[at]!]);

interface Found {
  loss: number;
  /** By the log-probabilities, interleaved. */
  gradients: number[];
}

/** The mean loss of pairs or answers. @param inputs by the names of `policyLoss`, but for the weights */
async function lossOf(
  objective: PolicyObjective,
  sums: readonly number[],
  inputs: Readonly<Record<string, readonly number[]>>,
): Promise<Found> {
  const P = sums.length / 2;
  const program = new Program();
  const given = program.parameter("sums", [2 * P]);
  const column = reshape(given, [2 * P, 1]);
  const loss = policyLoss(program, column, objective, P);
  program.output("loss", loss);
  program.output("gradients", reshape(gradients(program, loss, [column])[0]!, [2 * P]));
  const feeds: Feeds = Object.fromEntries(
    Object.entries({ ...inputs, sums, pair_weights: Array.from({ length: P }, () => 1 / P) }).map(([name, of]) => [
      name,
      Float32Array.from(of),
    ]),
  );
  const found = await runProgram(program, feeds);
  return { loss: found["loss"]![0]!, gradients: found["gradients"]! };
}

interface Pair {
  chosen: number;
  rejected: number;
  referenceChosen?: number;
  referenceRejected?: number;
  lengths?: [number, number];
}

/** The loss of one pair, and its derivative by the two log-probabilities. */
async function pairLoss(name: PairLossName, pair: Pair, changes: Partial<typeof settings> = {}): Promise<Found> {
  const { chosen, rejected, referenceChosen = -10, referenceRejected = -10, lengths = [10, 10] } = pair;
  return lossOf({ kind: "pairs", mix: [{ name, weight: 1 }], settings: { ...settings, ...changes } }, [chosen, rejected], {
    references: [referenceChosen, referenceRejected],
    lengths,
    mean_chosen_length: [lengths[0]],
  });
}

const goldens = policyLossGoldens();

describe("the losses that tune a policy", () => {
  const { chosen, rejected, referenceChosen, referenceRejected, lengths } = goldens.pairs;
  for (const [name, golden] of Object.entries(goldens.cases)) {
    test(`are PyTorch's for ${name}, with their derivatives`, async () => {
      const { mix, beta, labelSmoothing } = golden;
      const objective = { kind: "pairs", mix, settings: { ...settings, beta, labelSmoothing } } as const;
      const found = await lossOf(objective, interleaved(chosen, rejected), {
        references: interleaved(referenceChosen, referenceRejected),
        lengths: interleaved(...lengths),
        mean_chosen_length: [lengths[0].reduce((sum, length) => sum + length, 0) / lengths[0].length],
      });
      assertClose([found.loss], [golden.loss], 3e-6, "loss");
      assertClose(found.gradients, interleaved(...golden.gradients), 3e-6, "derivatives");
    });
  }

  for (const [index, golden] of goldens.kto.entries()) {
    test(`are PyTorch's for KTO (${index}), through whose distance from the reference no derivative flows`, async () => {
      const { answer, reference, unmatched, referenceUnmatched, labels, beta, desirableWeight, undesirableWeight } = golden;
      const objective = { kind: "kto", settings: { beta, desirableWeight, undesirableWeight } } as const;
      const found = await lossOf(objective, interleaved(answer, unmatched), {
        references: interleaved(reference, referenceUnmatched),
        labels,
        shares: labels.map(() => 1 / labels.length),
      });
      assertClose([found.loss], [golden.loss], 3e-6, "loss");
      assertClose(found.gradients, interleaved(golden.gradients, labels.map(() => 0)), 3e-6, "derivatives"); // prettier-ignore
    });
  }

  test("cover every loss by a golden", () => {
    const seen = new Set(Object.values(goldens.cases).flatMap(({ mix }) => mix.map(({ name }) => name)));
    assert.deepEqual([...seen].toSorted(), Object.keys(pairLosses).toSorted());
  });

  test("have the derivatives that finite differences find", async () => {
    const names = Object.keys(pairLosses) as PairLossName[];
    const nats = fc.double({ min: -12, max: -1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), nats, nats, async (name, first, second) => {
        const beta = 0.3;
        const at = async (chosenStep: number, rejectedStep: number): Promise<Found> =>
          pairLoss(
            name,
            { chosen: first + chosenStep, rejected: second + rejectedStep, referenceChosen: -5, referenceRejected: -6 },
            { beta },
          );
        // A corner of hinge has no derivative.
        fc.pre(name !== "hinge" || Math.abs(1 - beta * (first + 5 - (second + 6))) > 0.05);
        // DiscoPOP bends within tau / beta.
        fc.pre(name !== "discopop" || Math.abs(first + 5 - (second + 6)) > 2);
        const step = 2 ** -6;
        const { loss, gradients: found } = await at(0, 0);
        const differences = [
          ((await at(step, 0)).loss - (await at(-step, 0)).loss) / (2 * step),
          ((await at(0, step)).loss - (await at(0, -step)).loss) / (2 * step),
        ];
        for (const [index, expected] of differences.entries())
          assert.ok(Math.abs(found[index]! - expected) < 2e-3 * (1 + Math.abs(loss)), `${name}: ${found[index]} is not ${expected}`);
      }),
      { numRuns: 60 },
    );
  });

  test("of the reference itself are the loss of knowing nothing", async () => {
    const same = { chosen: -10, rejected: -10 };
    const expected: Partial<Record<PairLossName, number>> = {
      sigmoid: Math.log(2), hinge: 1, ipo: 25, conservative: Math.log(2), robust: Math.log(2), sigmoid_norm: Math.log(2),
      nca_pair: 2 * Math.log(2), bco_pair: 2 * Math.log(2), sppo_hard: 50, apo_zero: 1, apo_down: 1, discopop: (Math.log(2) + 1) / 2,
    }; // prettier-ignore
    for (const [name, loss] of Object.entries(expected))
      assertClose([(await pairLoss(name as PairLossName, same)).loss], [loss], 1e-6, name);
  });

  test("stay finite however far the policy is from its reference", async () => {
    const far = { chosen: -2000, rejected: -1, referenceChosen: -1, referenceRejected: -2000, lengths: [100, 100] as [number, number] };
    for (const name of Object.keys(pairLosses) as PairLossName[]) {
      if (name === "discopop") continue; // Its exponential is meant to grow without bound.
      const { loss, gradients: found } = await pairLoss(name, far, { beta: 1 });
      assert.ok([loss, ...found].every(Number.isFinite), `${name}: ${loss}, ${found.join(" ")}`);
    }
  });

  test("with a chance of wrong labels stop pulling where the label's own odds are reached", async () => {
    const epsilon = 0.2;
    const beta = 0.5;
    const difference = Math.log((1 - epsilon) / epsilon) / beta;
    for (const name of ["conservative", "exo_pair"] as const) {
      const { gradients: found } = await pairLoss(name, { chosen: -10 + difference, rejected: -10 }, { beta, labelSmoothing: epsilon });
      assert.ok(Math.abs(found[0]!) < 1e-6, `${name} pulls by ${found[0]}`);
    }
  });

  test("for better answers raise the chosen, and for worse ones lower both", async () => {
    const near = { chosen: -10, rejected: -10 };
    const signs = async (name: PairLossName): Promise<number[]> => (await pairLoss(name, near)).gradients.map((value) => Math.sign(-value));
    assert.deepEqual(await signs("apo_zero"), [1, -1]);
    // The chosen one's two pulls cancel at the reference; beyond it, it is pulled down.
    const beyond = await pairLoss("apo_down", { chosen: -8, rejected: -30 });
    assert.ok(beyond.gradients[0]! > 0 && beyond.gradients[1]! > 0);
  });
});
