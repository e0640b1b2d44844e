/** @file The judges of one request: asked for what needs scores, of whole answers and of beginnings, and how long they were waited for. */

import { askForRewards, type AskedRewards, type RewardAnswers } from "./reward-requests.ts";
import type { UnscoredTexts } from "./candidate-set.ts";
import type { ScoringPace } from "./scoring-pace.ts";

export interface Judges {
  answers: RewardAnswers;
  /** Of beginnings, where another model judges those. */
  beginnings?: RewardAnswers | undefined;
  pace: ScoringPace;
}

/** What a judge answered to a batch, or why it did not. */
export type Judged =
  | { type: "rewards"; of: keyof UnscoredTexts; texts: readonly string[]; asked: AskedRewards }
  | { type: "unrewarded"; of: keyof UnscoredTexts; error: unknown };

export class Judging {
  readonly #judges: Judges;
  readonly #signal: AbortSignal;
  readonly #tell: (judged: Judged) => void;
  #open = 0;
  #sinceMs = 0;
  /** While answers were being waited for. */
  waitedMs = 0;

  /** @param tell Hears each answer; it says so by `heard`. */
  constructor(judges: Judges, signal: AbortSignal, tell: (judged: Judged) => void) {
    this.#judges = judges;
    this.#signal = signal;
    this.#tell = tell;
  }

  /** Whether an answer is still to come: what needs scores meanwhile makes the next batch. */
  get isWaiting(): boolean {
    return this.#open > 0;
  }

  ask({ wholes, beginnings }: UnscoredTexts): void {
    const { answers, beginnings: judge, pace } = this.#judges;
    if (judge === undefined) this.#ask("wholes", [...wholes, ...beginnings], answers, pace);
    else {
      this.#ask("wholes", wholes, answers, pace);
      this.#ask("beginnings", beginnings, judge);
    }
  }

  heard(): void {
    if (--this.#open === 0) this.waitedMs += performance.now() - this.#sinceMs;
  }

  #ask(of: keyof UnscoredTexts, texts: readonly string[], judge: RewardAnswers, pace?: ScoringPace): void {
    if (texts.length === 0) return;
    const askedMs = performance.now();
    if (this.#open++ === 0) this.#sinceMs = askedMs;
    askForRewards(texts, judge, this.#signal).then(
      (asked) => {
        pace?.note(performance.now() - askedMs, texts.length);
        this.#tell({ type: "rewards", of, texts, asked });
      },
      (error: unknown) => this.#tell({ type: "unrewarded", of, error }),
    );
  }
}
