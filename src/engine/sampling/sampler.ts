/**
 * @file Draws a token by inverse transform sampling: tokens by falling logit (ties by rising id), weights
 * w_j = exp((l_j - l_0) / T), and the first token whose running sum of weights exceeds u * S.
 *
 * Truncation only shortens S. It starts as Z, the sum of all weights; top_k makes it the sum of the first k weights;
 * top_p the first running sum that reaches top_p * S; min_p at most the sum of the weights of at least min_p. So a
 * row's K largest logits and its Z tell the token exactly, unless u * S may lie beyond them.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { SamplingParams } from "../contract/request.ts";
import { CumulativeProbability } from "./cumulative-probability.ts";
import { penalise, type TokenHistory } from "./penalties.ts";
import { TokenRanking } from "./token-ranking.ts";

/** Tokens as the model gives them: nothing is cut off, penalised or biased. */
export const plainSampling: SamplingParams = {
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  logitBias: [],
};

/** What the model's head returns for a row. */
export interface TopLogits {
  /** [K], falling. */
  values: Float32Array;
  /** [K], the tokens of `values`; equal values by rising id, as ONNX's TopK orders them. */
  ids: ArrayLike<number>;
  /** Z: sum over the whole vocabulary of exp((logit - largest) * inverseTemperature(params)). */
  normaliser: number;
}

export interface SampledToken {
  tokenId: number;
  /** The model's own logit, before penalties and bias. */
  logit: number;
}

/** Below this a temperature means greedy, since its inverse is of no use in float32. */
const smallestTemperature = 1e-5;

/** What the roundings of exp and of the running sums may add to an upper bound: far more than they do. */
const roundingOfSums = 1 + 1e-9;

/** Z comes in float32: its error is far below this. */
const roundingOfNormaliser = 1 + 1e-3;

/** Whether the most likely token is taken, the lowest id of several. */
export function isGreedy(params: SamplingParams): boolean {
  return params.temperature < smallestTemperature;
}

/** 1/T as float32: the very number that goes into the graph for Z. For greedy rows, which do not use Z, it is 1. */
export function inverseTemperature(params: SamplingParams): number {
  return isGreedy(params) ? 1 : Math.fround(1 / params.temperature);
}

/**
 * The token of the draw `uniform`, from the K largest logits.
 *
 * @param uniform in [0, 1).
 * @returns undefined when tokens beyond the K may decide: then `sampleFromFull` with the same draw and Z does. The same
 * question is always answered by the same token, whichever of the two answers it.
 * @throws BonsaiError `internal` when a logit or Z is not a number that a model in good health gives.
 */
export function sampleFromTop(top: TopLogits, params: SamplingParams, uniform: number): SampledToken | undefined {
  const { values, ids } = top;
  const mass = new CumulativeProbability({ count: values.length, logit: (rank) => values[rank]! }, inverseTemperature(params));
  const normaliser = checked(top.normaliser);
  if (isGreedy(params)) return { tokenId: ids[0]!, logit: values[0]! };
  const [least, most] = boundsOfKeptMass(mass, params, normaliser);
  const rank = mass.firstRankPast(uniform * most);
  if (rank === undefined || (least !== most && mass.firstRankPast(uniform * least) !== rank)) return undefined;
  return { tokenId: ids[rank]!, logit: values[rank]! };
}

/**
 * The token of the draw `uniform`, from all logits of a row, after penalties and bias.
 *
 * @param logits [V], the model's own, finite or -Infinity (a token that is never drawn); left as they are.
 * @param normaliser the row's Z as `sampleFromTop` had it, so that both agree to the last bit; undefined, or unused
 * where penalties change the logits: the sum of the weights themselves.
 * @throws BonsaiError `internal` on NaN, +Infinity or only -Infinity; `invalid_request` on a bias outside the
 * vocabulary.
 */
export function sampleFromFull(
  logits: Float32Array,
  params: SamplingParams,
  history: TokenHistory,
  uniform: number,
  normaliser?: number,
): SampledToken {
  const penalised = penalise(logits, params, history);
  if (isGreedy(params)) {
    const tokenId = mostLikelyToken(penalised);
    return { tokenId, logit: logits[tokenId]! };
  }
  const ranking = new TokenRanking(penalised);
  const mass = new CumulativeProbability(ranking, inverseTemperature(params));
  const isTopK = params.topK > 0 && params.topK <= logits.length;
  const candidates = isTopK
    ? mass.ofFirst(params.topK)
    : checked(penalised === logits && normaliser !== undefined ? normaliser : mass.ofAll(penalised));
  // Z and the running sums differ by roundings: a draw between them goes to the most likely token.
  const rank = mass.firstRankPast(uniform * keptMass(mass, params, candidates)) ?? 0;
  const tokenId = ranking.tokenId(rank);
  return { tokenId, logit: logits[tokenId]! };
}

/** S, where all tokens are known. `candidates` is the mass that top_k leaves. */
function keptMass(mass: CumulativeProbability, params: SamplingParams, candidates: number): number {
  let kept = candidates;
  if (params.topP < 1) kept = nucleusMass(mass, params.topP * kept) ?? params.topP * kept;
  if (params.minP > 0) kept = Math.min(kept, mass.ofFirst(mass.countAtLeast(params.minP)));
  return kept;
}

/**
 * The least and the most that S can be, where only the K most likely tokens are known: `keptMass` of all tokens lies
 * between, both inclusive. Each step is monotone, in floating point too, so it maps bounds to bounds.
 */
function boundsOfKeptMass(mass: CumulativeProbability, params: SamplingParams, normaliser: number): [least: number, most: number] {
  const known = mass.ofFirst(mass.count);
  const largestUnknownWeight = mass.weight(mass.count - 1) * roundingOfSums;
  let least = normaliser;
  let most = normaliser;
  if (params.topK > mass.count) {
    // S is the sum of the first k, or Z where the vocabulary is smaller than k.
    const sumOfUnknown = (params.topK - mass.count) * largestUnknownWeight;
    least = Math.min(normaliser, known);
    most = Math.min(known + sumOfUnknown, Math.max(normaliser, known)) * roundingOfNormaliser;
  } else if (params.topK > 0) {
    least = most = mass.ofFirst(params.topK);
  }
  if (params.topP < 1) {
    least = nucleusMass(mass, params.topP * least) ?? params.topP * least;
    most = nucleusMass(mass, params.topP * most) ?? params.topP * most + largestUnknownWeight;
  }
  if (params.minP > 0) {
    const count = mass.countAtLeast(params.minP);
    const atLeastMinP = mass.ofFirst(count);
    least = Math.min(least, atLeastMinP);
    if (count < mass.count) most = Math.min(most, atLeastMinP);
  }
  return [least, most];
}

/** The smallest running sum that reaches the target; undefined if no known one does. */
function nucleusMass(mass: CumulativeProbability, target: number): number | undefined {
  const rank = mass.firstRankPast(target, true);
  return rank === undefined ? undefined : mass.ofFirst(rank + 1);
}

/** The first of the largest logits. */
function mostLikelyToken(logits: Float32Array): number {
  let best = 0;
  let bestLogit = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit > bestLogit) {
      best = id;
      bestLogit = logit;
    } else if (logit !== logit) {
      throw new BonsaiError("internal", `The model gave NaN as the logit of token ${id}.`);
    }
  }
  if (!Number.isFinite(bestLogit)) {
    throw new BonsaiError("internal", `The model gave no finite logit to choose from: the largest of ${logits.length} is ${bestLogit}.`);
  }
  return best;
}

/** Z, if it can be one: it holds the most likely token's weight, 1, and float32 may round it down a little. */
function checked(normaliser: number): number {
  if (normaliser > 0.5 && normaliser < Infinity) return normaliser;
  throw new BonsaiError("internal", `The sum of a row's token weights is ${normaliser}; it must be finite and at least 1.`);
}
