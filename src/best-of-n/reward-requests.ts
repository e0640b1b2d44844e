/**
 * @file The rewards that one request asks for: in batches, patiently where the model is busy, and answer by answer
 * where one of a batch fails.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { TextKind, UnscoredTexts } from "./candidate-set.ts";

/**
 * Rewards of answers to one prompt, in order. Undefined for an answer without one.
 * @throws what a reward model throws; a batch of one answer fails for that answer
 */
export type RewardAnswers = (answers: readonly string[], signal: AbortSignal) => Promise<readonly (number | undefined)[]>;

/** The models that score the candidates of a request. */
export interface RewardSource {
  answers: RewardAnswers;
  /** Scores prefixes, where another model does so. */
  prefixes?: RewardAnswers | undefined;
  /**
   * The reward of an answer by the `outputs` of its `finish` event, where the policy computes them while it decodes.
   */
  ofOutputs?: ((outputs: readonly number[], answer: string) => number) | undefined;
  pace: ScoringPace;
}

interface RewardListener {
  /** @param error why one of the texts has no reward, where the model gave an error for it */
  rewarded(kind: TextKind, texts: readonly string[], rewards: readonly (number | undefined)[], error: unknown): void;
  /** The whole batch failed. */
  failed(kind: TextKind, error: unknown): void;
}

/** One batch at a time for each model; what needs scores meanwhile makes the next batch. */
export class RewardRequests {
  readonly #source: RewardSource;
  readonly #signal: AbortSignal;
  readonly #listener: RewardListener;
  #openBatches = 0;
  #waitingSinceMs = 0;
  /** Milliseconds in which at least one batch was open. */
  waitedMs = 0;

  constructor(source: RewardSource, signal: AbortSignal, listener: RewardListener) {
    this.#source = source;
    this.#signal = signal;
    this.#listener = listener;
  }

  get isWaiting(): boolean {
    return this.#openBatches > 0;
  }

  request({ answers, prefixes }: UnscoredTexts): void {
    const { answers: model, prefixes: prefixModel, pace } = this.#source;
    if (prefixModel === undefined) this.#batch("answers", [...answers, ...prefixes], model, pace);
    else {
      this.#batch("answers", answers, model, pace);
      this.#batch("prefixes", prefixes, prefixModel);
    }
  }

  #batch(kind: TextKind, texts: readonly string[], model: RewardAnswers, pace?: ScoringPace): void {
    if (texts.length === 0) return;
    const startMs = performance.now();
    if (this.#openBatches++ === 0) this.#waitingSinceMs = startMs;
    batchRewards(texts, model, this.#signal).then(
      ({ rewards, error }) => {
        pace?.note(performance.now() - startMs, texts.length);
        this.#closeBatch();
        this.#listener.rewarded(kind, texts, rewards, error);
      },
      (error: unknown) => {
        this.#closeBatch();
        this.#listener.failed(kind, error);
      },
    );
  }

  #closeBatch(): void {
    if (--this.#openBatches === 0) this.waitedMs += performance.now() - this.#waitingSinceMs;
  }
}

/** Codes of errors that a single answer of a batch can cause. */
const causedByOneAnswer = new Set(["internal", "context_length_exceeded", "request_too_large"]);

const firstWaitMs = 20;
const longestWaitMs = 500;

/**
 * The rewards of a batch, with the error of an answer that could not be scored.
 * @throws what fails the batch as a whole
 */
async function batchRewards(
  answers: readonly string[],
  model: RewardAnswers,
  signal: AbortSignal,
): Promise<{ rewards: readonly (number | undefined)[]; error: unknown }> {
  try {
    return { rewards: await requestPatiently(answers, model, signal), error: undefined };
  } catch (error) {
    if (!(error instanceof BonsaiError) || !causedByOneAnswer.has(error.code)) throw error;
    if (answers.length === 1) return { rewards: [undefined], error };
  }
  const alone = [];
  for (const answer of answers) alone.push(await batchRewards([answer], model, signal));
  return { rewards: alone.map(({ rewards }) => rewards[0]), error: alone.find(({ error }) => error !== undefined)?.error };
}

/**
 * Asks again while the model's queue is full: the answers exist already, and to throw them away would only add to the
 * load.
 */
async function requestPatiently(
  answers: readonly string[],
  model: RewardAnswers,
  signal: AbortSignal,
): Promise<readonly (number | undefined)[]> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      return await model(answers, signal);
    } catch (error) {
      if (!(error instanceof BonsaiError) || error.code !== "overloaded" || signal.aborted) throw error;
      await sleep(waitMs, undefined, { signal });
    }
  }
}

/** Weight of the newest measurement in the running mean. */
const newestWeight = 0.3;

/** The part of the deadline that is kept for scoring before anything was measured, and the most that is. */
const unmeasuredShare = 0.2;
const mostUnmeasuredMs = 250;

/** A batch that queues behind others takes longer than the mean one. */
const margin = 1.5;

/** How long a reward model takes, so that a request with a deadline stops decoding in time to be scored. */
export class ScoringPace {
  #msPerAnswer: number | undefined;

  /** Takes note of a batch. */
  note(ms: number, answers: number): void {
    const own = ms / answers;
    this.#msPerAnswer = this.#msPerAnswer === undefined ? own : this.#msPerAnswer + newestWeight * (own - this.#msPerAnswer);
  }

  /** Milliseconds that so many answers need for scoring before a deadline; never more than half of the time. */
  reserveMs(answers: number, deadlineMs: number): number {
    if (this.#msPerAnswer === undefined) return Math.min(unmeasuredShare * deadlineMs, mostUnmeasuredMs);
    return Math.min(margin * this.#msPerAnswer * answers, deadlineMs / 2);
  }
}
