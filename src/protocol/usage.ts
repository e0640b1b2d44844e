/**
 * @file The `usage` of an answer: prompt tokens count once for each prompt, completion tokens for every choice and
 * every candidate.
 */

import { Type, type Static } from "typebox";
import type { BestOfEvent } from "../best-of-n/result.ts";

export const Usage = Type.Object({
  prompt_tokens: Type.Integer({ description: "Tokens of the prompt, once, however many choices share it." }),
  completion_tokens: Type.Integer({ description: "Tokens of all choices, and of all candidates that they were chosen among." }),
  total_tokens: Type.Integer(),
  prompt_tokens_details: Type.Object({ cached_tokens: Type.Integer({ description: "Prompt tokens that the prefix cache answered." }) }),
});
export type Usage = Static<typeof Usage>;

/** Sums the token counts of a request's events. */
export class UsageCounter {
  #prompt = 0;
  #cached = 0;
  #completion = 0;

  add(event: BestOfEvent): void {
    if (event.type === "start") {
      this.#prompt += event.promptTokens;
      this.#cached += event.cachedTokens;
    } else if (event.type === "finish") {
      this.#completion += event.completionTokens;
    } else if (event.type === "chosen") {
      this.#completion += event.otherTokens;
    }
  }

  get usage(): Usage {
    return {
      prompt_tokens: this.#prompt,
      completion_tokens: this.#completion,
      total_tokens: this.#prompt + this.#completion,
      prompt_tokens_details: { cached_tokens: this.#cached },
    };
  }
}
