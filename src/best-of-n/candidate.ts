/** @file One of the N answers as Best-of-N follows it: its text and counts so far, and what became of it. */

import type { FinishReason, TokenLogprob } from "../engine/contract/request.ts";

/**
 * Why a candidate ended: as the engine's reasons, or pruned (dropped for the reward of its beginning), early_stop (the others were enough), deadline (time
 * was up), failed (its numbers were no numbers).
 */
export type CandidateEnd = FinishReason | "pruned" | "early_stop" | "deadline" | "failed";

/** A piece of an answer as it came from the engine. */
export interface Piece {
  text: string;
  tokenIds: number[];
  logprobs: TokenLogprob[] | undefined;
}

/** What is judged of a candidate: an answer, or the beginning of one. */
export interface Excerpt {
  text: string;
  /** Natural log of the model's own probability, per token; undefined where it was not asked for. */
  meanLogprob: number | undefined;
}

export class Candidate {
  readonly index: number;
  /** A request for one answer with this seed gives the same. */
  readonly seed: number;
  /** Until it ended. */
  readonly pieces: Piece[] = [];
  /** Of the answer. */
  tokens = 0;
  /** Those too that came when it had been dropped. */
  generatedTokens = 0;
  /** Undefined while it runs. */
  end: CandidateEnd | undefined;
  /** By the length at which it was taken. */
  readonly excerpts = new Map<number, Excerpt>();
  #text = "";
  #logprobSum: number | undefined;

  constructor(index: number, seed: number) {
    this.index = index;
    this.seed = seed;
  }

  get isRunning(): boolean {
    return this.end === undefined;
  }

  /** Whether it may still be chosen, once it has ended. */
  get isEligible(): boolean {
    return this.end === undefined || this.end === "stop" || this.end === "length" || this.end === "deadline";
  }

  get text(): string {
    return this.#text;
  }

  get whole(): Excerpt {
    const meanLogprob = this.#logprobSum === undefined || this.tokens === 0 ? undefined : this.#logprobSum / this.tokens;
    return { text: this.#text, meanLogprob };
  }

  /**
   * Goes on, unless it has ended: what was judged is what is returned.
   * @param logprobSum of the piece's tokens, where the request asked for it
   */
  push(piece: Piece, logprobSum: number | undefined): void {
    this.generatedTokens += piece.tokenIds.length;
    if (!this.isRunning) return;
    this.pieces.push(piece);
    this.#text += piece.text;
    this.tokens += piece.tokenIds.length;
    if (logprobSum !== undefined) this.#logprobSum = (this.#logprobSum ?? 0) + logprobSum;
  }
}
