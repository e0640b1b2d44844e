/**
 * @file The loss of a reward model on preferences: Plackett and Luce's model of choices, of which Bradley and Terry's
 *   is the case of two answers, and the term that keeps rewards around zero.
 */

import { add, gatherRows, logSumExp, matmul, mul, reshape, sub, sum, sumAll, transpose } from "../../autodiff/operations.ts";
import type { Node, Program } from "../../autodiff/program.ts";

/**
 * Sizes of a batch of comparisons. Letters of the shapes: D dimensions; M measures of an answer, which are the
 * dimensions and, where there are several, last the holistic reward; N answers; C comparisons; K answers of a
 * comparison.
 */
export interface ComparisonSizes {
  dimensions: number;
  measures: number;
  answers: number;
  comparisons: number;
  compared: number;
}

export interface ChoiceInputs {
  /** Raw rewards, [M, C, K]. */
  rewards: Node;
  /**
   * [M, C, K, K]. For the choice of answer i: what is added to the reward of answer j where j could be chosen (0, and a
   * margin where j must lie further below), and `excluded` where it was not.
   */
  offsets: Node;
  /** [M, C, K]: weights of the choices in the loss, 0 where there was none. */
  weights: Node;
}

/** Removes an answer from a choice: exp(r + excluded) is 0 for every reward r. */
export const excluded = -1e30;

/**
 * The sum of weights times -log P(i is chosen), a scalar, where P = exp(r_i) / sum_j exp(r_j + offset_ij) over the
 * answers that were there (Plackett 1975; Luce 1959, chapter 1.F).
 *
 * For two answers it is -log sigmoid(r_chosen - r_rejected - margin) (Bradley and Terry 1952; Ouyang et al. 2022,
 * equation 1; with the margin, Touvron et al. 2023, equation 2), as TRL's RewardTrainer has it. Differences are taken
 * before exponentials, so that large rewards cost no digits.
 */
export function choiceLoss({ rewards, offsets, weights }: ChoiceInputs): Node {
  const [M, C, K] = rewards.shape as [number, number, number];
  const chosen = reshape(rewards, [M, C, K, 1]);
  const others = reshape(rewards, [M, C, 1, K]);
  const losses = reshape(logSumExp(add(sub(others, chosen), offsets)), [M, C, K]);
  return sumAll(mul(losses, weights));
}

export interface CentringInputs {
  /** Raw rewards, [M, C, K]. */
  rewards: Node;
  /** [C, K]: 2 divided by the comparison's answers, 0 where there is no answer. */
  shares: Node;
  /** [M, C]: weights of the squares in the loss. */
  weights: Node;
}

/**
 * The sum of weights times (r_chosen + r_rejected)^2, a scalar (Eisenstein et al. 2023, section 3; TRL's
 * center_rewards_coefficient): rewards are determined up to a constant for each prompt, and this chooses it. Of more
 * than two answers it is the square of twice their mean.
 */
export function centringLoss({ rewards, shares, weights }: CentringInputs): Node {
  const sums = reshape(sum(mul(rewards, shares), [2]), [...weights.shape]);
  return sumAll(mul(mul(sums, sums), weights));
}

/**
 * The loss of a batch of comparisons, as an output of the program beside `rewards` [N, M].
 *
 * Inputs beside the model's: measures [D, M], whose last column has the weights of the holistic reward and whose others
 * pick a dimension each; compared [C * K] int32, the place of each comparison's answers among the N; and what
 * `ChoiceInputs` and `CentringInputs` say: offsets, choice_weights, shares, centring_weights; and scale, what the loss
 * is multiplied by.
 * @param outputs the model's raw outputs, [N, D].
 */
export function preferenceLoss(program: Program, outputs: Node, sizes: ComparisonSizes): Node {
  const { dimensions: D, measures: M, comparisons: C, compared: K } = sizes;
  const rewards = matmul(outputs, program.input("measures", "float32", [D, M]));
  const byComparison = gatherRows(rewards, program.input("compared", "int32", [C * K])); // [C * K, M]
  const compared = reshape(transpose(byComparison, [1, 0]), [M, C, K]);
  const choices = choiceLoss({
    rewards: compared,
    offsets: program.input("offsets", "float32", [M, C, K, K]),
    weights: program.input("choice_weights", "float32", [M, C, K]),
  });
  const centring = centringLoss({
    rewards: compared,
    shares: program.input("shares", "float32", [C, K]),
    weights: program.input("centring_weights", "float32", [M, C]),
  });
  const loss = mul(add(choices, centring), program.input("scale", "float32", []));
  program.output("loss", loss);
  program.output("rewards", rewards);
  return loss;
}
