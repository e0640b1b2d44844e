/** @file Fills prompts: what the prefix cache has of them is copied, and the rest is computed chunk by chunk. */

import type { PromptCache } from "../../runtime/device.ts";
import { describePromptChunk } from "../sampling/prompt-logprobs.ts";
import type { Generation } from "./generation.ts";
import type { PrefixCache } from "./prefix-cache.ts";

export class PromptFilling {
  readonly counters = { prefixCacheHitTokens: 0, prefixCacheQueryTokens: 0, promptTokens: 0, prefillChunks: 0 };
  readonly #prefixCache: PrefixCache;

  constructor(prefixCache: PrefixCache) {
    this.#prefixCache = prefixCache;
  }

  /**
   * Computes the next tokens of a prompt. It is opened when its turn comes, so that few prompts are held at once.
   * @param tokens one chunk, or the rest of the prompt
   * @returns whether the prompt is filled
   */
  async advance(generation: Generation, tokens: number): Promise<boolean> {
    const { prefillIds } = generation;
    const prompt = generation.prompt ?? (await this.#open(generation));
    if (prompt.length < prefillIds.length) await this.#computeChunk(generation, prompt, tokens);
    return prompt.length === prefillIds.length;
  }

  async #open(generation: Generation): Promise<PromptCache> {
    const { prefillIds, promptIds, chunkKeys, model } = generation;
    const prompt = model.device.openPrompt(prefillIds.length, model.adapter);
    generation.prompt = prompt;
    await this.#prefixCache.extend(model.device, prompt, chunkKeys);
    generation.cachedTokens = prompt.length;
    this.counters.prefixCacheQueryTokens += prefillIds.length;
    this.counters.prefixCacheHitTokens += prompt.length;
    this.counters.promptTokens += promptIds.length;
    return prompt;
  }

  async #computeChunk(generation: Generation, prompt: PromptCache, tokens: number): Promise<void> {
    const { prefillIds, chunkKeys, promptTokens } = generation;
    const { device } = generation.model;
    const start = prompt.length;
    const ids = prefillIds.slice(start, start + tokens);
    const logits = await device.prefill(prompt, ids, promptTokens !== undefined);
    this.counters.prefillChunks++;
    if (logits !== undefined) describePromptChunk(generation, start, ids.length, logits);
    const key = chunkKeys[start / device.chunkTokens];
    if (key === undefined) return;
    await this.#prefixCache.keep(key, device.chunkTokens * device.bytesPerToken, () => device.readPage(prompt, start));
  }
}
