/** @file The requests that the measurements send: token ids in, a fixed number of tokens out. */

import type { GenerateRequest } from "../../../src/engine/contract/request.ts";
import { plainSampling } from "../../../src/engine/sampling/sampler.ts";

/** A request for the engine: `maxTokens` tokens, past any end of sequence. */
export function fixedLengthRequest(model: string, ids: number[], maxTokens: number, temperature: number, n = 1): GenerateRequest {
  return {
    model,
    prompt: { kind: "tokens", ids },
    n,
    maxTokens,
    sampling: { ...plainSampling, temperature },
    seed: 1,
    stop: [],
    ignoreEos: true,
    logprobs: undefined,
    echo: false,
  };
}

/** The same as a body of POST /v1/completions. */
export function fixedLengthBody(model: string, ids: number[], maxTokens: number, temperature: number): Record<string, unknown> {
  return { model, prompt: ids, max_tokens: maxTokens, temperature, seed: 1, ignore_eos: true, stream: true };
}
