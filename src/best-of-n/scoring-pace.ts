/** @file How long a reward model takes, so that a request with a deadline stops decoding in time to be scored. */

/** Weight of the newest measurement in the running mean. */
const newestWeight = 0.3;

/** Of the deadline, kept for scoring when nothing was measured yet; and no more than this. */
const unmeasuredShare = 0.2;
const mostUnmeasuredMs = 250;

/** A batch can take longer than the mean one, by queueing behind others. */
const margin = 1.5;

export class ScoringPace {
  #msPerAnswer: number | undefined;

  /** Takes note of a batch. */
  note(ms: number, answers: number): void {
    const own = ms / answers;
    this.#msPerAnswer = this.#msPerAnswer === undefined ? own : this.#msPerAnswer + newestWeight * (own - this.#msPerAnswer);
  }

  /** Milliseconds before a deadline at which so many answers are to be given to the model; never more than half of the time. */
  reserveMs(answers: number, deadlineMs: number): number {
    if (this.#msPerAnswer === undefined) return Math.min(unmeasuredShare * deadlineMs, mostUnmeasuredMs);
    return Math.min(margin * this.#msPerAnswer * answers, deadlineMs / 2);
  }
}
