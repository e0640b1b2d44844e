/**
 * @file Scores conversations by a decoder's hidden states: chunk by chunk on the grid that prompts are filled on, many
 * rows in one run.
 */

import type { PromptCache, PromptChunk } from "../../runtime/device.ts";
import type { Sliced } from "../../text/slices.ts";
import type { Model } from "../loading/model.ts";
import { chunkKeys, type PrefixCache } from "../scheduling/prefix-cache.ts";
import type { ModelInfo } from "../contract/request.ts";
import { ConversationReader } from "./conversation-reader.ts";
import type { ScoringPart } from "./decoder-reward.ts";
import type { ScoreInput } from "../contract/score-request.ts";
import { tokensOfRun, type ReadInput, type ScoredRow, type Scorer } from "./scorer.ts";

/** A model with a head. */
export type ScoringModel = Model & { score: ScoringPart };

interface DecoderRow extends ScoredRow {
  /** Keys of the full chunks before the last one, whose hidden state is what is wanted. */
  keys: readonly string[];
  /** Present from the first run on. */
  prompt: PromptCache | undefined;
}

export class DecoderScorer implements Scorer {
  readonly #model: ScoringModel;
  readonly #prefixCache: PrefixCache;
  readonly #reader: ConversationReader;

  constructor(model: ScoringModel, prefixCache: PrefixCache) {
    this.#model = model;
    this.#prefixCache = prefixCache;
    // A policy is not fed with what ends its answer, and an answer's prefix has no end.
    const readsEnd = model.score.reward.form === "decoder";
    const { tokenizer, template, eosTokenIds, info } = model;
    this.#reader = new ConversationReader({
      tokenizer,
      template,
      eosTokenIds,
      mostTokens: info.contextLength,
      lengthOf: ({ ids, fedTokens }) => (readsEnd ? ids.length : fedTokens),
    });
  }

  get info(): ModelInfo {
    return this.#model.info;
  }

  bytesOf(tokens: number): number {
    return this.#model.device.scoringBytes(tokens);
  }

  read(inputs: readonly ScoreInput[], truncate: boolean): Sliced<ReadInput[]> {
    return this.#reader.read(inputs, truncate);
  }

  open(input: ReadInput): DecoderRow {
    const { device, cacheScope } = this.#model;
    const keys = chunkKeys(cacheScope, input.ids.slice(0, -1), device.chunkTokens);
    return { input, keys, cachedTokens: 0, outputs: undefined, prompt: undefined };
  }

  async advance(rows: readonly ScoredRow[]): Promise<void> {
    const { device } = this.#model;
    const chosen = await this.#choose(rows as readonly DecoderRow[]);
    const hidden = await device.prefillMany(chosen.map(({ chunk }) => chunk));
    for (const [index, { row, followers, start, chunk }] of chosen.entries()) {
      if (start + chunk.ids.length === row.input.ids.length) this.#end(row, hidden[index] as Float32Array);
      else await this.#share(row, followers, start);
    }
  }

  close(row: ScoredRow): void {
    const own = row as DecoderRow;
    if (own.prompt !== undefined) this.#model.device.closePrompt(own.prompt);
    own.prompt = undefined;
  }

  /** The next chunks, as many as a run takes. Rows that begin alike have it computed by the first of them. */
  async #choose(rows: readonly DecoderRow[]): Promise<Chosen[]> {
    const { chunkTokens } = this.#model.device;
    const chosen: Chosen[] = [];
    const byKey = new Map<string, Chosen>();
    let tokens = 0;
    for (const row of rows) {
      const prompt = await this.#opened(row);
      const start = prompt.length;
      const key = row.keys[start / chunkTokens];
      const leader = key === undefined ? undefined : byKey.get(key);
      if (leader !== undefined) {
        leader.followers.push(row);
        continue;
      }
      const ids = row.input.ids.slice(start, start + chunkTokens);
      if (chosen.length > 0 && tokens + ids.length > tokensOfRun) continue;
      tokens += ids.length;
      const next: Chosen = { row, followers: [], start, chunk: { prompt, ids } };
      chosen.push(next);
      if (key !== undefined) byKey.set(key, next);
    }
    return chosen;
  }

  /** The row's prompt, with all chunks that the prefix cache has after those that it holds. */
  async #opened(row: DecoderRow): Promise<PromptCache> {
    const { device, adapter } = this.#model;
    const prompt = (row.prompt ??= device.openPrompt(row.input.ids.length, adapter));
    const appended = await this.#prefixCache.extend(device, prompt, row.keys.slice(prompt.length / device.chunkTokens));
    row.cachedTokens += appended * device.chunkTokens;
    return prompt;
  }

  /** Gives a chunk to those that begin alike, and keeps it where other answers will. */
  async #share(row: DecoderRow, followers: readonly DecoderRow[], start: number): Promise<void> {
    const { device } = this.#model;
    const { chunkTokens } = device;
    const prompt = row.prompt as PromptCache;
    if (followers.length > 0) {
      const page = await device.readPage(prompt, start);
      for (const follower of followers) {
        await device.appendPage(follower.prompt as PromptCache, page);
        follower.cachedTokens += chunkTokens;
      }
      page.release();
    }
    const key = row.keys[start / chunkTokens];
    if (key === undefined || start + chunkTokens > row.input.promptTokens) return;
    await this.#prefixCache.keep(key, chunkTokens * device.bytesPerToken, () => device.readPage(prompt, start));
  }

  #end(row: DecoderRow, hidden: Float32Array): void {
    row.outputs = this.#model.score.head.outputs(hidden);
    this.close(row);
  }
}

/** A chunk to compute: whose it is, and who begins with the same tokens. */
interface Chosen {
  row: DecoderRow;
  followers: DecoderRow[];
  start: number;
  chunk: PromptChunk;
}
