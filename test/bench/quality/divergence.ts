/**
 * @file How far the next-token distributions of one way to compute a model are from those of another, over the tokens
 * of real answers.
 */

/** A reference's next-token distribution. */
export interface ReferenceDistribution {
  /** [V], sums to 1. */
  probabilities: Float32Array;
  /** -Σ p ln p, nats. */
  entropyNats: number;
  mostLikely: number;
}

/** The distribution that logits [V] stand for. */
export function distribution(logits: Float32Array): ReferenceDistribution {
  const { largest, at, logSumExp } = normaliser(logits);
  const probabilities = new Float32Array(logits.length);
  let entropyNats = 0;
  for (let id = 0; id < logits.length; id++) {
    const logProbability = (logits[id] as number) - largest - logSumExp;
    const probability = Math.exp(logProbability);
    probabilities[id] = probability;
    if (probability > 0) entropyNats -= probability * logProbability;
  }
  return { probabilities, entropyNats, mostLikely: at };
}

/** Sums over tokens; divide by `tokens`. */
export interface Divergence {
  tokens: number;
  /** Σ -ln q(token that the text has). */
  surprisalNats: number;
  /** Σ KL(reference ‖ measured). */
  klNats: number;
  /** Tokens whose most likely candidate is the reference's. */
  agreements: number;
}

export const noDivergence = (): Divergence => ({ tokens: 0, surprisalNats: 0, klNats: 0, agreements: 0 });

/** Adds one token: the measured logits [V] that predict `tokenId`. */
export function addToken(sums: Divergence, reference: ReferenceDistribution, logits: Float32Array, tokenId: number): void {
  const { probabilities, entropyNats, mostLikely } = reference;
  const { largest, at, logSumExp } = normaliser(logits);
  // KL(p ‖ q) = -H(p) - Σ p ln q with ln q = logit - largest - logSumExp: one product instead of a logarithm for each
  // candidate.
  let product = 0;
  let mass = 0;
  for (let id = 0; id < logits.length; id++) {
    const probability = probabilities[id] as number;
    product += probability * ((logits[id] as number) - largest);
    mass += probability;
  }
  sums.tokens++;
  sums.surprisalNats += largest + logSumExp - (logits[tokenId] as number);
  sums.klNats += logSumExp - product / mass - entropyNats;
  if (at === mostLikely) sums.agreements++;
}

export function addDivergence(sums: Divergence, more: Divergence): void {
  sums.tokens += more.tokens;
  sums.surprisalNats += more.surprisalNats;
  sums.klNats += more.klNats;
  sums.agreements += more.agreements;
}

/** Logits relative to the largest, and ln Σ exp of those. */
function normaliser(logits: Float32Array): { largest: number; at: number; logSumExp: number } {
  let largest = -Infinity;
  let at = 0;
  for (let id = 0; id < logits.length; id++) {
    if ((logits[id] as number) > largest) {
      largest = logits[id] as number;
      at = id;
    }
  }
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp((logits[id] as number) - largest);
  return { largest, at, logSumExp: Math.log(sum) };
}
