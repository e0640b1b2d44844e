/**
 * @file Kahneman and Tversky's loss: a policy learns from single answers that are wanted or not, with no pairs
 * (Ethayarajh et al. 2024).
 */

import { add, concat, max, mul, reshape, sigmoid, stopGradient, sub, sumAll } from "../../autodiff/operations.ts";
import type { Node } from "../../autodiff/program.ts";

/** What a policy and its reference say of P answers; each [P], nats, summed over the tokens of an answer. */
export interface AnswerLogProbabilities {
  answer: Node;
  reference: Node;
  /** Log-probabilities of answers to other prompts, which estimate the policy's distance from the reference. */
  unmatched: Node;
  referenceUnmatched: Node;
  /** 1 where the answer is wanted, -1 where it is not. */
  labels: Node;
  /** 1 divided by the answers of the batch; 0 where there is none. */
  shares: Node;
}

export interface KtoSettings {
  beta: number;
  /** lambda of wanted and unwanted answers. */
  desirableWeight: number;
  undesirableWeight: number;
}

/**
 * lambda - v of each answer, [P], where v = lambda sigmoid(beta (r - z)) of a wanted one and lambda sigmoid(beta (z -
 * r)) of another, and r = log pi - log pi_ref (section 4.1, equation 7 by TRL's count). z is the mean of r over
 * unmatched answers, at least 0, and no derivative flows through it.
 */
export function ktoLoss(inputs: AnswerLogProbabilities, { beta, desirableWeight, undesirableWeight }: KtoSettings): Node {
  const { answer, reference, unmatched, referenceUnmatched, labels, shares } = inputs;
  const { program } = answer;
  const mean = sumAll(mul(sub(unmatched, referenceUnmatched), shares));
  const distance = stopGradient(reshape(max(concat([reshape(mean, [1]), program.full(0, [1])], 0), [0]), []));
  const value = sigmoid(mul(mul(sub(sub(answer, reference), distance), labels), beta));
  // (1 + label) / 2 is 1 of a wanted answer and 0 of another.
  const wanted = mul(add(labels, 1), 0.5);
  const weights = add(mul(wanted, desirableWeight - undesirableWeight), undesirableWeight);
  return mul(weights, sub(program.full(1), value));
}
