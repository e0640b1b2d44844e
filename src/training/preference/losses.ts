/**
 * @file Losses that tune a policy on pairs of answers: functions of the log-probabilities that policy and reference
 *   give them. Names are TRL's. Numbers of equations are the papers', checked where the papers' own code or TRL's names
 *   them; elsewhere the section stands alone.
 *
 * The scores s of a pair are log pi(y|x) - log pi_ref(y|x) of the chosen and of the rejected answer, and h = s_chosen -
 * s_rejected.
 */

import { add, concat, div, exp, log, logSumExp, max, mul, neg, reshape, sigmoid, sub, tanh } from "../../autodiff/operations.ts";
import type { Node } from "../../autodiff/program.ts";

/** What a policy and its reference say of P pairs; each [P], nats, summed over the tokens of the answers. */
export interface PairLogProbabilities {
  chosen: Node;
  rejected: Node;
  referenceChosen: Node;
  referenceRejected: Node;
  /** Tokens of the answers. */
  chosenLength: Node;
  rejectedLength: Node;
  /** Mean tokens of a chosen answer among all that the loss is the mean over, a scalar. */
  meanChosenLength: Node;
}

export interface PairLossSettings {
  /** Weight of the distance from the reference: tau in IPO, lambda in ORPO, 1 / eta in SPPO. */
  beta: number;
  /** Probability that a label is wrong, below a half; for robust, conservative and EXO. */
  labelSmoothing: number;
  /** Temperature of DiscoPOP's mixture. */
  discopopTau: number;
  /** SimPO's target margin gamma as a share of beta. */
  gammaBetaRatio: number;
}

/** The loss of each pair, [P]. */
export type PairLoss = (pairs: PairLogProbabilities, settings: PairLossSettings) => Node;

/** log sigmoid(x), which is finite for every x. @param x [P] */
function logSigmoid(x: Node): Node {
  const [P] = x.shape as [number];
  const column = reshape(neg(x), [P, 1]);
  return neg(reshape(logSumExp(concat([x.program.full(0, [P, 1]), column], 1)), [P]));
}

/** max(0, x). @param x [P] */
function rectified(x: Node): Node {
  const [P] = x.shape as [number];
  return reshape(max(concat([x.program.full(0, [P, 1]), reshape(x, [P, 1])], 1), [1]), [P]);
}

const square = (x: Node): Node => mul(x, x);
const oneMinus = (x: Node): Node => sub(x.program.full(1), x);

const chosenScore = ({ chosen, referenceChosen }: PairLogProbabilities): Node => sub(chosen, referenceChosen);
const rejectedScore = ({ rejected, referenceRejected }: PairLogProbabilities): Node => sub(rejected, referenceRejected);
const scoreDifference = (pairs: PairLogProbabilities): Node => sub(chosenScore(pairs), rejectedScore(pairs));
/** h with each score divided by its answer's length. */
const meanScoreDifference = (pairs: PairLogProbabilities): Node =>
  sub(div(chosenScore(pairs), pairs.chosenLength), div(rejectedScore(pairs), pairs.rejectedLength));

/** -log sigmoid(beta h): Rafailov et al. 2023 (DPO), equation 7. */
const sigmoidLoss: PairLoss = (pairs, { beta }) => neg(logSigmoid(mul(scoreDifference(pairs), beta)));

/**
 * max(0, 1 - beta h): Zhao et al. 2023 (SLiC-HF), section 2, over normalised likelihoods, as Liu et al. 2023 (RSO)
 * write it; beta is one over the margin.
 */
const hingeLoss: PairLoss = (pairs, { beta }) => rectified(oneMinus(mul(scoreDifference(pairs), beta)));

/**
 * (h - 1 / (2 tau))^2: Azar et al. 2023 (IPO), equation 17; scores are means over tokens, as its authors say that
 * theirs were and TRL has it.
 */
const ipoLoss: PairLoss = (pairs, { beta }) => square(sub(meanScoreDifference(pairs), 1 / (2 * beta)));

/** The loss of a pair with either order: [-log sigmoid(beta h), -log sigmoid(-beta h)]. */
function bothOrders(pairs: PairLogProbabilities, beta: number): [Node, Node] {
  const scaled = mul(scoreDifference(pairs), beta);
  return [neg(logSigmoid(scaled)), neg(logSigmoid(neg(scaled)))];
}

/**
 * DPO's loss under the chance epsilon that the label is wrong: Mitchell 2023, "A note on DPO with noisy preferences"
 * (cDPO), equation 3.
 */
const conservativeLoss: PairLoss = (pairs, { beta, labelSmoothing: epsilon }) => {
  const [right, wrong] = bothOrders(pairs, beta);
  return add(mul(right, 1 - epsilon), mul(wrong, epsilon));
};

/**
 * ((1 - epsilon) l(right) - epsilon l(wrong)) / (1 - 2 epsilon), whose mean over flipped labels is DPO's of the true
 * ones: Chowdhury et al. 2024 ("Provably robust DPO"), section 3.
 */
const robustLoss: PairLoss = (pairs, { beta, labelSmoothing: epsilon }) => {
  const [right, wrong] = bothOrders(pairs, beta);
  return mul(sub(mul(right, 1 - epsilon), mul(wrong, epsilon)), 1 / (1 - 2 * epsilon));
};

/**
 * -log sigmoid of beta times h by mean scores: DPO normalised by length, Meng et al. 2024 (SimPO), appendix I, and
 * Lambert et al. 2024 (Tülu 3); TRL's `sigmoid_norm`.
 */
const lengthNormalisedLoss: PairLoss = (pairs, { beta }) => neg(logSigmoid(mul(meanScoreDifference(pairs), beta)));

/** Each answer for itself against noise: Chen et al. 2024 (noise contrastive alignment), section 4, for pairs. */
const ncaLoss: PairLoss = (pairs, { beta }) => {
  const [chosen, rejected] = [mul(chosenScore(pairs), beta), mul(rejectedScore(pairs), beta)];
  return neg(add(logSigmoid(chosen), mul(add(logSigmoid(neg(chosen)), logSigmoid(neg(rejected))), 0.5)));
};

/**
 * A classifier of right and wrong whose logit is the reward: the binary cross-entropy of Jung et al. 2024 (BCO),
 * without their shift of the reward, as TRL's `bco_pair`.
 */
const bcoLoss: PairLoss = (pairs, { beta }) =>
  neg(add(logSigmoid(mul(chosenScore(pairs), beta)), logSigmoid(neg(mul(rejectedScore(pairs), beta)))));

/** Wu et al. 2024 (SPPO), equation 4.7 with probabilities of winning of 1 and 0. */
const sppoLoss: PairLoss = (pairs, { beta }) =>
  add(square(sub(chosenScore(pairs), 0.5 / beta)), square(add(rejectedScore(pairs), 0.5 / beta)));

/**
 * D'Oosterlinck et al. 2024 (APO), equation 7: up with the chosen, down with the rejected. For answers better than the
 * policy's.
 */
const apoZeroLoss: PairLoss = (pairs, { beta }) =>
  add(oneMinus(sigmoid(mul(chosenScore(pairs), beta))), sigmoid(mul(rejectedScore(pairs), beta)));

/** The same, equation 8: both down, the rejected more. For answers worse than the policy's. */
const apoDownLoss: PairLoss = (pairs, { beta }) =>
  add(sigmoid(mul(chosenScore(pairs), beta)), oneMinus(sigmoid(mul(scoreDifference(pairs), beta))));

/**
 * Ji et al. 2024 (EXO), section 3.2, equation 16: the divergence of the policy's choice within the pair from the
 * label's, which is right by 1 - epsilon.
 */
const exoLoss: PairLoss = (pairs, { beta, labelSmoothing: epsilon }) => {
  const scaled = mul(scoreDifference(pairs), beta);
  const part = (x: Node, share: number): Node => mul(sigmoid(x), sub(logSigmoid(x), Math.log(share)));
  return add(part(scaled, 1 - epsilon), part(neg(scaled), epsilon));
};

/** Lu et al. 2024 (DiscoPOP), equation 5: logistic and exponential loss, mixed by the size of the difference. */
const discopopLoss: PairLoss = (pairs, { beta, discopopTau }) => {
  const scaled = mul(scoreDifference(pairs), beta);
  const share = sigmoid(mul(scaled, 1 / discopopTau));
  return add(mul(neg(logSigmoid(scaled)), oneMinus(share)), mul(exp(neg(scaled)), share));
};

/**
 * -log pi of the chosen answers: its mean over pairs is the mean over their tokens. For mixes, such as Pang et al. 2024
 * and MPO.
 */
const sftLoss: PairLoss = ({ chosen, meanChosenLength }) => neg(div(chosen, meanChosenLength));

/**
 * -log sigmoid of the difference of log odds, beside the likelihood of the chosen answers: Hong et al. 2024 (ORPO),
 * equations 4 and 7; lambda is `beta`, as in TRL. Odds are of mean log-probabilities x: p / (1 - p) with 1 - exp(x) = 2
 * t / (1 + t), t = tanh(-x / 2), which keeps its digits near 0.
 */
const orpoLoss: PairLoss = (pairs, settings) => {
  const logOdds = (logProbability: Node, length: Node): Node => {
    const mean = div(logProbability, length);
    const t = tanh(mul(mean, -0.5));
    return sub(mean, log(div(mul(t, 2), add(t, 1))));
  };
  const difference = sub(logOdds(pairs.chosen, pairs.chosenLength), logOdds(pairs.rejected, pairs.rejectedLength));
  return add(sftLoss(pairs, settings), mul(neg(logSigmoid(difference)), settings.beta));
};

/** -log sigmoid(beta (mean log pi(chosen) - mean log pi(rejected)) - gamma): Meng et al. 2024 (SimPO), section 2. */
const simpoLoss: PairLoss = ({ chosen, rejected, chosenLength, rejectedLength }, { beta, gammaBetaRatio }) => {
  const difference = sub(div(chosen, chosenLength), div(rejected, rejectedLength));
  return neg(logSigmoid(mul(sub(difference, gammaBetaRatio), beta)));
};

/** The losses by name, which is TRL's where TRL has the loss. */
export const pairLosses = {
  sigmoid: sigmoidLoss,
  hinge: hingeLoss,
  ipo: ipoLoss,
  robust: robustLoss,
  conservative: conservativeLoss,
  sigmoid_norm: lengthNormalisedLoss,
  nca_pair: ncaLoss,
  bco_pair: bcoLoss,
  sppo_hard: sppoLoss,
  apo_zero: apoZeroLoss,
  apo_down: apoDownLoss,
  exo_pair: exoLoss,
  discopop: discopopLoss,
  sft: sftLoss,
  orpo: orpoLoss,
  simpo: simpoLoss,
} as const satisfies Readonly<Record<string, PairLoss>>;

export type PairLossName = keyof typeof pairLosses;

/** Losses without a reference. */
export const referenceFree: ReadonlySet<string> = new Set<PairLossName>(["sft", "orpo", "simpo"]);

export interface WeightedLoss {
  name: PairLossName;
  weight: number;
}

/**
 * The weighted sum of several losses, [P], such as sigmoid, bco_pair and sft by 0.8, 0.2 and 1 (Wang et al. 2024, MPO).
 */
export function mixedLoss(mix: readonly WeightedLoss[], pairs: PairLogProbabilities, settings: PairLossSettings): Node {
  return mix.map(({ name, weight }) => mul(pairLosses[name](pairs, settings), weight)).reduce((sum, next) => add(sum, next));
}
