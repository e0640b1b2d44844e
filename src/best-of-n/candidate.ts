/** @file One of the N candidates of a request: its tokens and text so far, and how it ended. */

import { deltaTokens, type FinishReason, type GenerateEvent } from "../engine/contract/request.ts";

/** The engine's event about new tokens of one candidate. */
export type Delta = Extract<GenerateEvent, { type: "delta" }>;

/**
 * Why a candidate ended. The engine's reasons; pruned: a pruning stage dropped it; early_stop: the others were enough;
 * deadline: the time was over; failed: its logits were not finite.
 */
export type CandidateEnd = FinishReason | "pruned" | "early_stop" | "deadline" | "failed";

/** What is scored: a whole answer, or a prefix of one. */
export interface ScorableText {
  text: string;
  /** Natural log of the model's own probability, per token; undefined where the request did not ask for it. */
  meanLogprob: number | undefined;
}

export class Candidate {
  readonly index: number;
  /** A request for one answer with this seed gives the same answer. */
  readonly seed: number;
  /** The engine's events until the candidate ended. */
  readonly deltas: Delta[] = [];
  /** Tokens of the answer. */
  tokens = 0;
  /** Tokens of the answer, and those that the engine gave after the candidate was dropped. */
  generatedTokens = 0;
  /** Undefined while the candidate runs. */
  end: CandidateEnd | undefined;
  /** The answer as it was at each pruning length, by that length in tokens. */
  readonly prefixes = new Map<number, ScorableText>();
  #text = "";
  #logprobSum: number | undefined;

  constructor(index: number, seed: number) {
    this.index = index;
    this.seed = seed;
  }

  get isRunning(): boolean {
    return this.end === undefined;
  }

  /** Whether the strategy may choose it (once it has ended). */
  get isEligible(): boolean {
    return this.end === undefined || this.end === "deadline" || this.hasFinished;
  }

  /** Whether it came to its own end. */
  get hasFinished(): boolean {
    return this.end === "stop" || this.end === "length";
  }

  get text(): string {
    return this.#text;
  }

  /** The answer so far. */
  get answer(): ScorableText {
    const meanLogprob = this.#logprobSum === undefined || this.tokens === 0 ? undefined : this.#logprobSum / this.tokens;
    return { text: this.#text, meanLogprob };
  }

  /**
   * Adds new tokens. Those that come after the end only count: the answer that was scored is the answer that is
   * returned.
   */
  append(delta: Delta): void {
    this.generatedTokens += deltaTokens(delta);
    if (!this.isRunning) return;
    this.deltas.push(delta);
    this.#text += delta.text;
    this.tokens += deltaTokens(delta);
    if (delta.logprobSum !== undefined) this.#logprobSum = (this.#logprobSum ?? 0) + delta.logprobSum;
  }
}
