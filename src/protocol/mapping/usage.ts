/** @file Sums the `usage` of an answer over the events of its request. */

import type { BestOfEvent } from "../../best-of-n/result.ts";
import type { Usage } from "../wire/usage.ts";

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
