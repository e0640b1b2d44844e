/**
 * @file The slow, obvious twin of the sampler: sorts everything, keeps float64 probabilities of all tokens, filters
 * them one warper after the other.
 */

import type { SamplingParams } from "../../../src/engine/contract/request.ts";

/** Logits after penalties and bias, each formula applied to the whole row. */
export function referencePenalise(
  logits: Float32Array,
  params: SamplingParams,
  prompt: readonly number[],
  answer: readonly number[],
): Float32Array {
  return logits.map((raw, tokenId) => {
    let logit = raw;
    if (prompt.includes(tokenId) || answer.includes(tokenId)) {
      logit = logit > 0 ? logit / params.repetitionPenalty : logit * params.repetitionPenalty;
    }
    const count = answer.filter((token) => token === tokenId).length;
    logit -= count * params.frequencyPenalty + (count > 0 ? 1 : 0) * params.presencePenalty;
    for (const [token, bias] of params.logitBias) if (token === tokenId) logit += bias;
    return logit;
  });
}

/** Tokens by falling logit, ties by rising id, with the probability that each is drawn. */
export function referenceDistribution(logits: Float32Array, params: SamplingParams): { tokenId: number; probability: number }[] {
  const ranked = [...logits].map((logit, tokenId) => ({ tokenId, logit })).toSorted((a, b) => b.logit - a.logit || a.tokenId - b.tokenId);
  // `b - a` of two equal infinities is NaN, which sorts as equal and so by the stable order of ids.
  const largest = ranked[0]!.logit;
  if (params.temperature === 0) return ranked.map(({ tokenId }, rank) => ({ tokenId, probability: rank === 0 ? 1 : 0 }));
  let tokens = ranked.map(({ tokenId, logit }) => ({ tokenId, probability: Math.exp((logit - largest) / params.temperature) }));
  const normalise = (): void => {
    const total = tokens.reduce((sum, token) => sum + token.probability, 0);
    tokens = tokens.map((token) => ({ ...token, probability: token.probability / total }));
  };
  normalise();
  if (params.topK > 0) {
    tokens = tokens.slice(0, params.topK);
    normalise();
  }
  if (params.topP < 1) {
    let before = 0;
    tokens = tokens.filter((token, rank) => {
      const keep = rank === 0 || before < params.topP;
      before += token.probability;
      return keep;
    });
    normalise();
  }
  tokens = tokens.filter((token, rank) => rank === 0 || token.probability >= params.minP * tokens[0]!.probability);
  normalise();
  return tokens;
}
