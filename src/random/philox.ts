/**
 * @file Counter-based random numbers (Philox 4x32-10; Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011): each draw is a pure hash of seed and position, so no stream has a state to keep, fork or lose.
 */

/**
 * Section 4.3, and Random123's philox.h: multipliers of the two halves, and the Weyl sequences that change the key each
 * round.
 */
const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const keyStep0 = 0x9e3779b9;
const keyStep1 = 0xbb67ae85;
const rounds = 10;

const twoTo32 = 2 ** 32;
const twoToMinus53 = 2 ** -53;

/** The third counter word keeps draws, seeds of candidates, and draws among candidates apart. */
const drawDomain = 0;
const candidateDomain = 1;
const selectionDomain = 2;

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  // Below 2^34, so exact in a double.
  const middle = aHigh * bLow + aLow * bHigh + Math.floor((aLow * bLow) / 65536);
  return (aHigh * bHigh + Math.floor(middle / 65536)) >>> 0;
}

/**
 * One block of Philox 4x32-10: four random 32-bit words for a counter of four words and a key of two.
 *
 * @returns unsigned 32-bit integers.
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < rounds; round++) {
    const high0 = multiplyHigh(multiplier0, c0);
    const low0 = Math.imul(multiplier0, c0);
    const high1 = multiplyHigh(multiplier1, c2);
    const low1 = Math.imul(multiplier1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + keyStep0) >>> 0;
    k1 = (k1 + keyStep1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** A 53-bit integer, uniform over all of them, for a seed (53 bits, the key) and a number (53 bits, in the counter). */
function hash53(seed: number, number: number, domain: number): number {
  const words = philox4x32([number >>> 0, Math.floor(number / twoTo32), domain, 0], [seed >>> 0, Math.floor(seed / twoTo32)]);
  return (words[0] >>> 5) * 2 ** 26 + (words[1] >>> 6);
}

/**
 * The seed by which sequence `index` of a request draws. The first sequence draws by the request's own seed, so
 * sequence i comes back alone from a request with `n: 1` and the seed `candidateSeed(seed, i)`.
 *
 * @param seed integer in [0, 2^53).
 * @param index integer in [0, 2^53).
 * @returns an integer in [0, 2^53).
 */
export function candidateSeed(seed: number, index: number): number {
  return index === 0 ? seed : hash53(seed, index, candidateDomain);
}

/**
 * The draw of a stream at a position: uniform in [0, 1), a multiple of 2^-53, a pure function of its arguments.
 *
 * @param seed integer in [0, 2^53).
 * @param position integer in [0, 2^53), such as the index of a token in its answer.
 */
export function uniform(seed: number, position: number): number {
  return hash53(seed, position, drawDomain) * twoToMinus53;
}

/**
 * The draw by which a request chooses among its candidates: uniform in [0, 1), one for each, apart from all draws of
 * their tokens.
 *
 * @param seed of the request, integer in [0, 2^53).
 * @param index of the candidate.
 */
export function selectionDraw(seed: number, index: number): number {
  return hash53(seed, index, selectionDomain) * twoToMinus53;
}
