/**
 * @file The seam between the engine and what computes: a device runs one decoder and owns its caches.
 *
 * Scheduler, sampler and protocol see these names only. A device decides where keys and values live and which rows it computes together;
 * it may not let either choice change a single bit of an answer.
 */

import type { DecoderConfig } from "../architectures/decoder/decoder-config.ts";

/** The keys and values of a prompt, filled chunk by chunk. */
export interface PromptCache {
  /** Tokens filled so far. */
  readonly length: number;
}

/** One sequence that is being decoded: a prompt, shared or not, and its own answer. */
export interface DecodeRow {
  /** Tokens before the next one: prompt and answer. */
  readonly length: number;
}

/** The keys and values of one full chunk, out of a prompt's cache. */
export interface CachePage {
  readonly byteLength: number;
}

/** The next tokens of a prompt, no more than `chunkTokens`, beginning at one of its multiples. */
export interface PromptChunk {
  prompt: PromptCache;
  ids: readonly number[];
}

export interface DecodeStep {
  row: DecodeRow;
  /** The token that the row is fed; the step gives the distribution of the one after it. */
  tokenId: number;
  /** 1 / temperature, for the normaliser; 1 where the temperature is 0. */
  inverseTemperature: number;
  wantsLogits: LogitsWish;
  /** Whether the state that the logits are made of is wanted, too. */
  wantsHidden?: boolean | undefined;
}

/**
 * When all logits of a row are wanted: unless the most likely tokens that a step returns hold more than `share` of the mass of the whole
 * vocabulary, or the last of them weighs less than `weight` times the first. Weights are exp(logit * inverseTemperature).
 */
export interface LogitsWish {
  share: number;
  weight: number;
}

export const neverWanted: LogitsWish = { share: 0, weight: 0 };
export const alwaysWanted: LogitsWish = { share: 2, weight: 0 };

/** The most likely next tokens of one row. */
export interface TopLogits {
  /** [K], largest first; equal ones by lowest id. */
  values: Float32Array;
  /** [K], the tokens of `values`. */
  ids: Int32Array;
  /** Sum over the whole vocabulary of exp((logit - values[0]) * inverseTemperature). */
  normaliser: number;
}

export interface StepResult {
  /** One for each step, in order. */
  rows: TopLogits[];
  /**
   * All logits [V] of a step that wanted them.
   * @param index of the step
   */
  logits(index: number): Float32Array;
  /**
   * The hidden state of the token that was fed, after the final norm, [H], of a step that wanted it.
   * @param index of the step
   */
  hidden(index: number): Float32Array;
}

export interface DecoderDevice {
  readonly name: string;
  readonly config: DecoderConfig;
  /** Tokens of a prefill chunk. Chunks start at its multiples, so that a prompt is always cut at the same places. */
  readonly chunkTokens: number;
  /** Bytes that one token's keys and values take. */
  readonly bytesPerToken: number;
  /**
   * Room for `tokens` of a prompt.
   * @param adapter which of the decoder's adapters it and its rows are computed with; none when undefined
   */
  openPrompt(tokens: number, adapter?: number): PromptCache;
  /**
   * Appends one chunk.
   * @returns with `wantLogits`, the logits that follow each of its tokens, [ids.length, V]
   */
  prefill(prompt: PromptCache, ids: readonly number[], wantLogits?: boolean): Promise<Float32Array | undefined>;
  /**
   * Appends a chunk to each of several prompts, many in one run. A chunk that is not full ends its prompt: its keys and values are not kept.
   * @returns for each, the hidden state of its last token after the final norm, [H]
   */
  prefillMany(chunks: readonly PromptChunk[]): Promise<Float32Array[]>;
  /** Copies the chunk that starts at `start` out of a prompt's cache. */
  readPage(prompt: PromptCache, start: number): CachePage;
  /** Appends a full chunk that another prompt computed. */
  appendPage(prompt: PromptCache, page: CachePage): void;
  /** Rows that continue a filled prompt by at most `maxAnswerTokens` each. The prompt is theirs from here on, and goes with the last of them. */
  openRows(prompt: PromptCache, count: number, maxAnswerTokens: number): DecodeRow[];
  closeRow(row: DecodeRow): void;
  /** Drops a prompt that no rows were opened for. */
  closePrompt(prompt: PromptCache): void;
  decode(steps: readonly DecodeStep[]): Promise<StepResult>;
  dispose(): Promise<void>;
}
