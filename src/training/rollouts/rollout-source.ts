/** @file The seam between training and sampling: answers that a policy writes to prompts with given weights. */

import type { Arrays } from "../model/training-session.ts";

/** An answer that was sampled. */
export interface Rollout {
  /** Token ids. */
  prompt: readonly number[];
  /** Token ids, with the end-of-sequence token where the answer has one. */
  answer: readonly number[];
  /** log pi of each token of the answer with the weights that it was sampled with, nats. [answer] */
  logProbabilities: Float32Array;
}

export interface SamplingOptions {
  /** The same weights, prompts and seed give the same answers. */
  seed: number;
  /** 1 samples from the model's distribution, 0 takes the likeliest token. */
  temperature: 0 | 1;
}

export interface RolloutSource {
  /**
   * One answer to each prompt, in order.
   * @param prompts token ids, at least one each
   * @param weights trained weights by name; they must not change until the promise settles
   */
  sample(prompts: readonly (readonly number[])[], weights: Arrays, options: SamplingOptions): Promise<Rollout[]>;
  /** log pi of each token of each answer with other weights, nats; see `Rollout`. */
  logProbabilities(rollouts: readonly Pick<Rollout, "prompt" | "answer">[], weights: Arrays): Promise<Float32Array[]>;
  dispose(): Promise<void>;
}
