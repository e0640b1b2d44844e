/**
 * @file Fills prompts: what the prefix cache has of them is copied, and the rest is computed chunk by chunk.
 *
 * Chunks start at the multiples of the device's `chunkTokens` and are computed alone, so neither the order in which
 * prompts take turns nor what the prefix cache holds can change a bit of an answer.
 */

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

  /** Chunks of a prompt that are still to be computed. Until it is opened, the prefix cache may change their number. */
  chunksLeft({ prompt, prefillIds, chunkKeys, model }: Generation): number {
    const { chunkTokens } = model.device;
    const tokens = prompt?.length ?? this.#prefixCache.countMatching(chunkKeys) * chunkTokens;
    return Math.ceil((prefillIds.length - tokens) / chunkTokens);
  }

  /**
   * Computes the next chunk of a prompt. It is opened when its turn comes, so that few prompts are held at once.
   * @returns whether the prompt is filled
   */
  async advance(generation: Generation): Promise<boolean> {
    const { prefillIds } = generation;
    const prompt = generation.prompt ?? (await this.#open(generation));
    if (prompt.length < prefillIds.length) await this.#computeChunk(generation, prompt);
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

  async #computeChunk(generation: Generation, prompt: PromptCache): Promise<void> {
    const { prefillIds, chunkKeys, promptTokens } = generation;
    const { device } = generation.model;
    const start = prompt.length;
    const ids = prefillIds.slice(start, start + device.chunkTokens);
    const logits = await device.prefill(prompt, ids, promptTokens !== undefined);
    this.counters.prefillChunks++;
    if (logits !== undefined) describePromptChunk(generation, start, ids.length, logits);
    const key = chunkKeys[start / device.chunkTokens];
    if (key === undefined) return;
    await this.#prefixCache.keep(key, device.chunkTokens * device.bytesPerToken, () => device.readPage(prompt, start));
  }
}
