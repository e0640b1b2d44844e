/** @file Bitmasks over the vocabulary: bit `id % 32` of word `id >> 5` is set for each token that is allowed. */

/** A mask that allows no token, [ceil(vocabSize / 32)]. */
export function emptyMask(vocabSize: number): Uint32Array {
  return new Uint32Array(Math.ceil(vocabSize / 32));
}

export function allowToken(mask: Uint32Array, id: number): void {
  mask[id >> 5]! |= 1 << (id % 32);
}

/** A copy of logits [V] with -Infinity for each token that the mask does not allow. */
export function allowOnly(logits: Float32Array, mask: Uint32Array): Float32Array {
  return logits.map((logit, id) => ((mask[id >> 5]! >>> (id % 32)) & 1 ? logit : -Infinity));
}
