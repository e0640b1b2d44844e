/**
 * @file Answers of a policy to the prompts of an evaluation, each prompt with a seed of its own, so that a run repeats
 * itself.
 */

import type { Engine, GenerateEvent, Prompt } from "../engine/contract/request.ts";
import { plainSampling } from "../engine/sampling/sampler.ts";

export interface PromptSampling {
  /** Answers of each prompt. */
  samples: number;
  temperature: number;
  maxTokens: number;
  seed: number;
}

/** The pieces of all answers to prompt number `index`, as they come. */
export async function* sampledPieces(
  engine: Engine,
  model: string,
  prompt: Prompt,
  index: number,
  { samples, temperature, maxTokens, seed }: PromptSampling,
): AsyncGenerator<Extract<GenerateEvent, { type: "delta" }>, void, undefined> {
  const events = engine.generate({
    model,
    prompt,
    n: samples,
    maxTokens,
    sampling: { ...plainSampling, temperature },
    seed: seed * 1_000_003 + index,
    stop: [],
    ignoreEos: false,
    logprobs: undefined,
    echo: false,
  });
  for await (const event of events) if (event.type === "delta") yield event;
}
