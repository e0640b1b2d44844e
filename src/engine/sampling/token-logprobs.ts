/**
 * @file Log-probabilities as OpenAI reports them: natural logarithms of the model's own distribution, before
 * temperature, penalties and truncation.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { TopLogits } from "./sampler.ts";

export interface TokenIdLogprob {
  tokenId: number;
  logprob: number;
}

/** OpenAI's value for tokens that are all but impossible: JSON has no -Infinity. */
const smallestLogprob = -9999;

/** Natural log of the probability of a logit, given the log of the sum of exp over all logits of its row. */
export function logprobOfLogit(logit: number, rowLogSumExp: number): number {
  return Math.max(smallestLogprob, logit - rowLogSumExp);
}

/**
 * The k most likely tokens, falling, ties by rising id. Fewer than k if the row has fewer.
 *
 * @param rowLogSumExp natural log of the sum of exp(logit) over the whole vocabulary, at temperature 1.
 */
export function logprobsFromTop(top: Pick<TopLogits, "values" | "ids">, rowLogSumExp: number, k: number): TokenIdLogprob[] {
  const count = Math.min(k, top.values.length);
  return Array.from({ length: count }, (_, rank) => ({
    tokenId: top.ids[rank]!,
    logprob: logprobOfLogit(top.values[rank]!, rowLogSumExp),
  }));
}

/**
 * Natural log of the sum of exp(logit) over a row, in float64.
 *
 * @throws BonsaiError `internal` on NaN, +Infinity or only -Infinity.
 */
export function logSumExp(logits: Float32Array): number {
  let largest = -Infinity;
  for (let id = 0; id < logits.length; id++) if (logits[id]! > largest) largest = logits[id]!;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id]! - largest);
  const result = largest + Math.log(sum);
  if (!Number.isFinite(result)) {
    throw new BonsaiError("internal", `The model's logits have no distribution: the log of the sum of their exponentials is ${result}.`);
  }
  return result;
}

/** The k most likely tokens of a row of all logits [V], falling, ties by rising id; one pass, for k far below V. */
export function logprobsFromFull(logits: Float32Array, rowLogSumExp: number, k: number): TokenIdLogprob[] {
  const best: TokenIdLogprob[] = [];
  const count = Math.min(k, logits.length);
  if (count === 0) return best;
  let threshold = -Infinity;
  for (let tokenId = 0; tokenId < logits.length; tokenId++) {
    const logit = logits[tokenId]!;
    if (best.length === count && !(logit > threshold)) continue;
    if (best.length === count) best.pop();
    let place = best.length;
    while (place > 0 && best[place - 1]!.logprob < logit) place--;
    best.splice(place, 0, { tokenId, logprob: logit });
    threshold = best.at(-1)!.logprob;
  }
  return best.map(({ tokenId, logprob: logit }) => ({ tokenId, logprob: logprobOfLogit(logit, rowLogSumExp) }));
}
