/**
 * @file How far a policy under training is from its reference: by answers that it samples to a few held-out prompts.
 */

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import type { DpoTrainingOptions } from "../../config/dpo-training-options.ts";
import { candidateSeed } from "../../random/philox.ts";
import type { Arrays } from "../model/training-session.ts";
import type { RolloutSource } from "../rollouts/rollout-source.ts";
import { UncachedRollouts, type UncachedRolloutsOptions } from "../rollouts/uncached-rollouts.ts";
import type { DocumentPair } from "./pairs.ts";

/** What a policy's answers say of it. */
export interface Divergence {
  /** Mean of log pi - log pi_ref over the answers: an unbiased estimate of KL(pi || pi_ref), nats an answer. */
  distance: number;
  /** Mean tokens of an answer, with its end-of-sequence token. */
  length: number;
}

type RolloutModel = Omit<UncachedRolloutsOptions, "rows" | "promptTokens" | "answerTokens">;

/** A source for these prompts, whose answers end where the model's context does. */
export async function openPromptRollouts(
  model: RolloutModel & { config: DecoderConfig },
  prompts: readonly (readonly number[])[],
  { evalMaxTokens }: Pick<DpoTrainingOptions, "evalMaxTokens">,
): Promise<RolloutSource> {
  const promptTokens = prompts.reduce((most, { length }) => Math.max(most, length), 0);
  const answerTokens = Math.min(evalMaxTokens, model.config.contextLength - promptTokens);
  return UncachedRollouts.open({ ...model, rows: prompts.length, promptTokens, answerTokens });
}

/**
 * Samples an answer to each prompt and compares what policy and reference say of it.
 * @param policy trained weights by name, and `reference` those before training
 * @param step decides the draws, together with `seed`
 */
export async function measureDivergence(
  source: RolloutSource,
  prompts: readonly (readonly number[])[],
  policy: Arrays,
  reference: Arrays,
  { seed, step }: { seed: number; step: number },
): Promise<Divergence> {
  const rollouts = await source.sample(prompts, policy, { seed: candidateSeed(seed, step + 1), temperature: 1 });
  const others = await source.logProbabilities(rollouts, reference);
  const own = total(rollouts.map(({ logProbabilities }) => logProbabilities));
  return {
    distance: (own - total(others)) / prompts.length,
    length: rollouts.reduce((sum, { answer }) => sum + answer.length, 0) / prompts.length,
  };
}

function total(logProbabilities: readonly Float32Array[]): number {
  let sum = 0;
  for (const values of logProbabilities) for (const value of values) sum += value;
  return sum;
}

/** The first `count` different prompts of held-out pairs, as token ids. */
export function firstPrompts(pairs: readonly DocumentPair[], count: number): number[][] {
  const found = new Map<string, number[]>();
  for (const { first } of pairs) {
    if (found.size >= count) break;
    const ids = [...first.ids.subarray(0, first.trained.indexOf(1, 1))];
    found.set(ids.join(), ids);
  }
  return [...found.values()];
}
