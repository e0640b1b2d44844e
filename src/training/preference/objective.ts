/** @file The objective of a policy: its losses and their settings, read from the options and checked together. */

import type { DpoTrainingOptions } from "../../config/dpo-training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { pairLosses, type PairLossName } from "./losses.ts";
import type { PolicyObjective } from "./programs.ts";

type ObjectiveOptions = Pick<
  DpoTrainingOptions,
  "lossType" | "lossWeights" | "beta" | "labelSmoothing" | "discopopTau" | "gammaBetaRatio" | "desirableWeight" | "undesirableWeight"
>;

/** @throws BonsaiError `usage`, naming the flag at fault and what would be right. */
export function readObjective(options: ObjectiveOptions): PolicyObjective {
  const { lossType, lossWeights, beta, labelSmoothing, discopopTau, gammaBetaRatio, desirableWeight, undesirableWeight } = options;
  const refuse = (flag: string, problem: string): BonsaiError => new BonsaiError("usage", `${flag} ${problem}.`, { param: flag });
  const unknown = lossType.find((name) => name !== "kto" && !Object.hasOwn(pairLosses, name));
  if (unknown !== undefined) {
    throw refuse(
      "--loss-type",
      `cannot be ${JSON.stringify(unknown.slice(0, 40))}: it is one of ${Object.keys(pairLosses).join(", ")}, kto`,
    );
  }
  const repeated = lossType.find((name, at) => lossType.indexOf(name) !== at);
  if (repeated !== undefined) throw refuse("--loss-type", `names ${repeated} twice`);
  const weights = lossWeights.length === 0 ? lossType.map(() => 1) : lossWeights.map(Number);
  if (weights.length !== lossType.length)
    throw refuse("--loss-weights", `has ${weights.length} numbers and there are ${lossType.length} losses: give one for each`);
  const wrong = weights.findIndex((weight) => !(weight > 0 && weight <= 1e6));
  if (wrong !== -1) throw refuse("--loss-weights", `takes numbers above 0, not ${JSON.stringify(lossWeights[wrong])}`);
  if (lossType.includes("exo_pair") && labelSmoothing === 0)
    throw refuse("--label-smoothing", "must be above 0 with --loss-type exo_pair, such as 0.001");
  if (lossType.includes("kto")) {
    if (lossType.length > 1) throw refuse("--loss-type", "kto is of single answers and goes with no loss of pairs");
    if (lossWeights.length > 0) throw refuse("--loss-weights", "is of mixes: kto has --desirable-weight and --undesirable-weight");
    if (desirableWeight + undesirableWeight === 0)
      throw refuse("--desirable-weight", "and --undesirable-weight are both 0, so that nothing is learnt");
    return { kind: "kto", settings: { beta, desirableWeight, undesirableWeight } };
  }
  const mix = (lossType as PairLossName[]).map((name, at) => ({ name, weight: weights[at]! }));
  return { kind: "pairs", mix, settings: { beta, labelSmoothing, discopopTau, gammaBetaRatio } };
}
