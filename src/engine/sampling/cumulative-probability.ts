/**
 * @file Running sums of token weights, most likely first: the one order of summation that every way of sampling shares.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";

/** The known tokens of a row by rank: `logit(0)` is the largest logit. */
export interface RankedLogits {
  readonly count: number;
  logit(rank: number): number;
}

/**
 * The weights w_j = exp((l_j - l_0) / T) of tokens by falling logit, and their running sums, computed as far as they
 * are asked for and always one after the other from the largest: whoever knows only the first K tokens gets the same
 * first K sums.
 */
export class CumulativeProbability {
  /** Tokens whose logits are known. */
  readonly count: number;
  readonly #tokens: RankedLogits;
  readonly #inverseTemperature: number;
  readonly #largest: number;
  /** Sums of the first 1, 2, ... weights; those below `#computed` are filled in. */
  readonly #sums: Float64Array;
  #computed = 0;
  #lastWeight = 1;

  /**
   * @throws BonsaiError `internal` when the largest logit is not finite.
   */
  constructor(tokens: RankedLogits, inverseTemperature: number) {
    const { count } = tokens;
    this.count = count;
    this.#tokens = tokens;
    this.#inverseTemperature = inverseTemperature;
    this.#largest = count > 0 ? tokens.logit(0) : NaN;
    this.#sums = new Float64Array(count);
    if (!Number.isFinite(this.#largest)) {
      throw new BonsaiError("internal", `The model gave no finite logit to sample from: the largest of ${count} is ${this.#largest}.`);
    }
  }

  /** The weight of the token at a rank: 1 at rank 0, and falling. */
  weight(rank: number): number {
    return Math.exp(this.#exponent(rank));
  }

  /** Sum of the weights of the `count` most likely tokens. */
  ofFirst(count: number): number {
    while (this.#computed < count) this.#advance();
    return count === 0 ? 0 : this.#sums[count - 1]!;
  }

  /**
   * Sum of the weights of all tokens of the row, in any order of `logits`: another rounding than `ofFirst(count)`, but
   * no sorting.
   */
  ofAll(logits: Float32Array): number {
    let sum = 0;
    for (let i = 0; i < logits.length; i++) sum += Math.exp((logits[i]! - this.#largest) * this.#inverseTemperature);
    return sum;
  }

  /**
   * The first rank whose running sum is above the target (or reaches it, with `orEqual`); undefined if no known one is.
   */
  firstRankPast(target: number, orEqual = false): number | undefined {
    const past = (rank: number): boolean => (orEqual ? this.#sums[rank]! >= target : this.#sums[rank]! > target);
    while (this.#computed < this.count && !(this.#computed > 0 && past(this.#computed - 1))) {
      // Weights fall, so from the first zero on the sums stay as they are.
      if (this.#lastWeight === 0) return undefined;
      this.#advance();
    }
    if (this.#computed === 0 || !past(this.#computed - 1)) return undefined;
    let low = 0;
    let high = this.#computed - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (past(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /**
   * How many of the known tokens are at least `fraction` as likely as the most likely one, which itself always counts.
   * Compared as logarithms, where rounding cannot change the order.
   */
  countAtLeast(fraction: number): number {
    const limit = Math.log(fraction);
    const kept = (rank: number): boolean => this.#exponent(rank) >= limit;
    // Steps that double look no further than twice as far as needed.
    let step = 1;
    while (step < this.count && kept(step)) step *= 2;
    let low = (step >>> 1) + 1;
    let high = Math.min(step, this.count);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (kept(middle)) low = middle + 1;
      else high = middle;
    }
    return high;
  }

  #exponent(rank: number): number {
    return (this.#tokens.logit(rank) - this.#largest) * this.#inverseTemperature;
  }

  #advance(): void {
    const rank = this.#computed;
    this.#lastWeight = this.#lastWeight === 0 ? 0 : this.weight(rank);
    const sum = (rank === 0 ? 0 : this.#sums[rank - 1]!) + this.#lastWeight;
    if (Number.isNaN(sum)) throw new BonsaiError("internal", `The model gave NaN as the logit of rank ${rank}.`);
    this.#sums[rank] = sum;
    this.#computed = rank + 1;
  }
}
