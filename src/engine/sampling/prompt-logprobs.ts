/** @file What a model thought of the tokens of a prompt, for requests that echo it with log-probabilities. */

import { describeToken } from "./draw.ts";
import type { Generation } from "../scheduling/generation.ts";
import { logprobOfLogit, logprobsFromFull, logSumExp } from "./token-logprobs.ts";

/**
 * Notes what each token of a chunk was given by those before it: its logits are those after the token before.
 * @param start place of the chunk in the prompt
 * @param count of the chunk's tokens
 * @param logits [count, V]
 */
export function describePromptChunk(generation: Generation, start: number, count: number, logits: Float32Array): void {
  const { model, promptIds, request, promptTokens } = generation;
  const { vocabSize } = model.info;
  for (let at = 0; at < count; at++) {
    const row = logits.subarray(at * vocabSize, (at + 1) * vocabSize);
    const tokenId = promptIds[start + at + 1] as number;
    const rowLogSumExp = logSumExp(row);
    const top = logprobsFromFull(row, rowLogSumExp, request.logprobs ?? 0).map((entry) => ({
      ...describeToken(model.tokenizer, entry.tokenId),
      logprob: entry.logprob,
    }));
    promptTokens?.push({
      ...describeToken(model.tokenizer, tokenId),
      logprob: logprobOfLogit(row[tokenId] as number, rowLogSumExp),
      top,
    });
  }
}

/** The notes of all tokens, with the first one, which nothing predicts. */
export function promptTokensOf({ promptTokens, promptIds, model }: Generation): Generation["promptTokens"] {
  promptTokens?.unshift({ ...describeToken(model.tokenizer, promptIds[0] as number), logprob: null, top: [] });
  return promptTokens;
}
