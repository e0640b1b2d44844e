/** @file Scores conversations by a decoder's hidden states: chunk by chunk on the grid that prompts are filled on, many rows in one run. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { PromptCache, PromptChunk } from "../../runtime/device.ts";
import { encodeFinished } from "../../text/conversation/finished-conversation.ts";
import type { Model } from "../loading/model.ts";
import { chunkKeys, type PrefixCache } from "../scheduling/prefix-cache.ts";
import type { ModelInfo } from "../contract/request.ts";
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

  constructor(model: ScoringModel, prefixCache: PrefixCache) {
    this.#model = model;
    this.#prefixCache = prefixCache;
  }

  get info(): ModelInfo {
    return this.#model.info;
  }

  bytesOf(tokens: number): number {
    return this.#model.device.scoringBytes(tokens);
  }

  read({ messages, param }: ScoreInput, truncate: boolean): ReadInput {
    const { tokenizer, template, eosTokenIds, score, info } = this.#model;
    const most = info.contextLength;
    const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
    // What could not fit if every token were the longest one is refused before it is tokenised.
    if (!truncate && characters > most * tokenizer.maxTokenBytes) throw tooLong(param, `${characters} characters`, most);
    const { ids, promptTokens, fedTokens } = encodeFinished(tokenizer, template, messages, (id) => eosTokenIds.has(id));
    // A policy is not fed with what ends its answer, and a beginning has no end.
    const readsEnd = score.reward.form === "decoder";
    const length = readsEnd ? ids.length : fedTokens;
    if (length > most && !truncate) throw tooLong(param, `${length} tokens`, most);
    // The end of the answer is where the reward is read: what is cut is the beginning.
    const cutTokens = Math.max(0, length - most);
    return { ids: ids.slice(cutTokens, length), cutTokens, promptTokens: Math.max(0, promptTokens - cutTokens) };
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

/** @param length of the input, with its unit */
export function tooLong(param: string, length: string, most: number): BonsaiError {
  return new BonsaiError(
    "context_length_exceeded",
    `${param} has ${length} and this model reads at most ${most} tokens: shorten it, or send truncate: true.`,
    { param },
  );
}
