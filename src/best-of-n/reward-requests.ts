/** @file Asks a reward model for batches of answers: waits where it is busy, and does not let one answer that it cannot score fail the others. */

import { setTimeout as sleep } from "node:timers/promises";
import { BonsaiError } from "../errors/bonsai-error.ts";

/**
 * Rewards of answers to one prompt, in order. Undefined for one that has none.
 * @throws what a reward model throws; a batch of one answer fails for that answer
 */
export type RewardAnswers = (answers: readonly string[], signal: AbortSignal) => Promise<readonly (number | undefined)[]>;

/** Codes of errors that one answer can bring about. */
const ofOneAnswer = new Set(["internal", "context_length_exceeded", "request_too_large"]);

const firstWaitMs = 20;
const longestWaitMs = 500;

export interface AskedRewards {
  rewards: readonly (number | undefined)[];
  /** The error of an answer that could not be scored, if there was one. */
  error: unknown;
}

/**
 * The rewards of a batch. While the model's queue is full it is asked again, until the signal aborts: the answers are there already, and throwing
 * them away would only make the load worse.
 * @throws what ends the batch as a whole
 */
export async function askForRewards(answers: readonly string[], reward: RewardAnswers, signal: AbortSignal): Promise<AskedRewards> {
  try {
    return { rewards: await askPatiently(answers, reward, signal), error: undefined };
  } catch (error) {
    if (!(error instanceof BonsaiError) || !ofOneAnswer.has(error.code)) throw error;
    if (answers.length === 1) return { rewards: [undefined], error };
  }
  const alone = [];
  for (const answer of answers) alone.push(await askForRewards([answer], reward, signal));
  return { rewards: alone.map(({ rewards }) => rewards[0]), error: alone.find(({ error }) => error !== undefined)?.error };
}

async function askPatiently(
  answers: readonly string[],
  reward: RewardAnswers,
  signal: AbortSignal,
): Promise<readonly (number | undefined)[]> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      return await reward(answers, signal);
    } catch (error) {
      if (!(error instanceof BonsaiError) || error.code !== "overloaded" || signal.aborted) throw error;
      await sleep(waitMs, undefined, { signal });
    }
  }
}
