/** @file Metrics of a policy on pairs: TRL's rewards, accuracies and margins, over a step or an evaluation. */

import type { PolicyBatch } from "./pair-rows.ts";
import { referenceFree } from "./losses.ts";
import type { PolicyObjective } from "./programs.ts";

/** Sums over answers of one kind. */
interface AnswerSums {
  answers: number;
  reward: number;
  logProbability: number;
}

/** Sums over a batch, so that batches add up. */
export interface PolicySums {
  /** The sum over pairs, for KTO over answers. */
  loss: number;
  pairs: number;
  chosen: AnswerSums;
  rejected: AnswerSums;
  /** Pairs whose chosen answer has the higher reward: a tie counts as wrong. */
  correct: number;
  /** KTO's estimates of the policy's distance from the reference, nats, summed over batches. */
  distance: number;
  batches: number;
}

/**
 * Sums of one batch. Rewards are beta (log pi - log pi_ref) (Rafailov et al. 2023, equation 5, up to what is the same
 * for all answers of a prompt), and where no loss looks at the reference beta times the mean log-probability of a token
 * (Meng et al. 2024, section 2).
 * @param logProbabilities [2P] and more
 */
export function policySums(batch: PolicyBatch, logProbabilities: Float32Array, loss: number, objective: PolicyObjective): PolicySums {
  const { lengths, references, labels } = batch;
  const { beta } = objective.settings;
  const withoutReference = isReferenceFree(objective);
  const reward = (at: number): number =>
    beta * (withoutReference ? logProbabilities[at]! / lengths[at]! : logProbabilities[at]! - references[at]!);
  const sums: PolicySums = {
    loss,
    pairs: labels.length,
    chosen: { answers: 0, reward: 0, logProbability: 0 },
    rejected: { answers: 0, reward: 0, logProbability: 0 },
    correct: 0,
    distance: 0,
    batches: 1,
  };
  const count = (kind: "chosen" | "rejected", at: number): void => {
    sums[kind].answers++;
    sums[kind].reward += reward(at);
    sums[kind].logProbability += logProbabilities[at]!;
  };
  for (const [pair, label] of labels.entries()) {
    count(label === 1 ? "chosen" : "rejected", 2 * pair);
    if (objective.kind === "kto") sums.distance += (logProbabilities[2 * pair + 1]! - references[2 * pair + 1]!) / labels.length;
    else {
      count("rejected", 2 * pair + 1);
      sums.correct += Number(reward(2 * pair) > reward(2 * pair + 1));
    }
  }
  sums.distance = Math.max(0, sums.distance);
  return sums;
}

/** Whether no loss of the objective looks at the reference. */
export function isReferenceFree(objective: PolicyObjective): boolean {
  return objective.kind === "pairs" && objective.mix.every(({ name }) => referenceFree.has(name));
}

/** Sums of several batches. */
export function addPolicySums(all: readonly [PolicySums, ...PolicySums[]]): PolicySums {
  return all.reduce((a, b) => ({
    loss: a.loss + b.loss,
    pairs: a.pairs + b.pairs,
    chosen: addAnswers(a.chosen, b.chosen),
    rejected: addAnswers(a.rejected, b.rejected),
    correct: a.correct + b.correct,
    distance: a.distance + b.distance,
    batches: a.batches + b.batches,
  }));
}

function addAnswers(a: AnswerSums, b: AnswerSums): AnswerSums {
  return { answers: a.answers + b.answers, reward: a.reward + b.reward, logProbability: a.logProbability + b.logProbability };
}

/** TRL's names. KTO has no pairs and so no accuracies. A metric without an answer to measure it by is left out. */
export function namedPolicyMetrics(sums: PolicySums, kind: PolicyObjective["kind"]): Record<string, number> {
  const { chosen, rejected, correct, pairs } = sums;
  const mean = (of: AnswerSums, key: "reward" | "logProbability"): number => of[key] / of.answers;
  const both = chosen.answers > 0 && rejected.answers > 0;
  return {
    ...(chosen.answers > 0 ? { "rewards/chosen": mean(chosen, "reward") } : {}),
    ...(rejected.answers > 0 ? { "rewards/rejected": mean(rejected, "reward") } : {}),
    ...(kind === "pairs" ? { "rewards/accuracies": correct / pairs } : {}),
    ...(both ? { "rewards/margins": mean(chosen, "reward") - mean(rejected, "reward") } : {}),
    ...(chosen.answers > 0 ? { "logps/chosen": mean(chosen, "logProbability") } : {}),
    ...(rejected.answers > 0 ? { "logps/rejected": mean(rejected, "logProbability") } : {}),
    ...(kind === "kto" ? { kl: sums.distance / sums.batches } : {}),
  };
}
