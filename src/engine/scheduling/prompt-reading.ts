/** @file Tokenises prompts in slices between the engine's turns, so that no decode step waits for a long text. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { sliceCharacters, type Sliced } from "../../text/slices.ts";

/** What becomes of a prompt, told once. */
export interface PromptListener {
  read(ids: number[]): void;
  failed(error: unknown): void;
}

interface Job {
  readonly id: number;
  /** The sequences of its request, which count as waiting. */
  readonly sequences: number;
  readonly work: Sliced<number[]>;
  readonly listener: PromptListener;
}

export class PromptReading {
  /** In turn: one slice of the first, which then goes to the end. */
  readonly #jobs: Job[] = [];
  /**
   * Characters that may still be tokenised in this turn of the event loop. A decode step takes two: ONNX Runtime waits
   * for one.
   */
  #left = sliceCharacters;
  #isScheduled = false;

  /** Sequences of the requests whose prompts are not read. */
  get sequences(): number {
    return this.#jobs.reduce((sum, { sequences }) => sum + sequences, 0);
  }

  /** Reads a prompt: one that is short, at once, where no other waits. Its listener hears of everything else. */
  start(id: number, sequences: number, work: Sliced<number[]>, listener: PromptListener): void {
    this.#jobs.push({ id, sequences, work, listener });
    if (this.#jobs.length === 1) this.#advance();
    this.#schedule();
  }

  /** @returns whether the prompt was still to be read. Its listener hears of it. */
  cancel(id: number): boolean {
    const at = this.#jobs.findIndex((job) => job.id === id);
    const [job] = at < 0 ? [] : this.#jobs.splice(at, 1);
    job?.listener.failed(new BonsaiError("cancelled", "The request was cancelled."));
    return job !== undefined;
  }

  cancelAll(): void {
    for (const { id } of this.#jobs.slice()) this.cancel(id);
  }

  /** Goes on in the next turn of the event loop, as the engine does. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#left = sliceCharacters;
      this.#advance();
      if (this.#jobs.length > 0) this.#schedule();
    });
  }

  #advance(): void {
    while (this.#left > 0) {
      const job = this.#jobs.shift();
      if (job === undefined) return;
      try {
        const { done, value } = job.work.next();
        if (done === true) job.listener.read(value);
        else {
          this.#left -= value;
          this.#jobs.push(job);
        }
      } catch (error) {
        job.listener.failed(error);
      }
    }
  }
}
