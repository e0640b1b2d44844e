/**
 * @file The interface between the engine and the hardware: a device loads models, computes them and owns their caches.
 *
 * Scheduler, sampler and protocol use these names only. A device decides how weights are stored, where keys and values
 * are, and which rows it computes together; none of these choices may depend on other requests in a way that changes a
 * bit of an answer.
 */

import type { DecoderConfig } from "../architectures/decoder/decoder-config.ts";
import type { BertConfig } from "../architectures/encoder/bert-config.ts";
import type { EncoderRow } from "../architectures/encoder/bert-inputs.ts";
import type { Quantization } from "../config/options.ts";
import type { ModelFile } from "../formats/model-file.ts";
import type { NamedAdapter } from "./artifacts/decoder-artifacts.ts";

/** One kind of hardware that models run on. */
export interface Device {
  /** The word of `--device`. */
  readonly name: string;
  /**
   * Prepares a decoder (once; the result is kept on disk) and loads it.
   * @throws BonsaiError `unsupported_model` where the file has not what the quantisation needs; `invalid_model_file`
   */
  loadDecoder(model: DecoderModel, options: DecoderLoadOptions): Promise<Loaded<DecoderDevice>>;
  /**
   * Prepares an encoder with a classifier (once; the result is kept on disk) and loads it.
   * @throws BonsaiError `invalid_model_file` where a weight is missing
   */
  loadEncoder(model: EncoderModel, options: LoadOptions): Promise<Loaded<EncoderDevice>>;
}

export interface Loaded<T> {
  model: T;
  /** Hash of the model's content, of how its weights are stored and of the format's version, 64 hexadecimal digits. */
  hash: string;
}

export interface DecoderModel {
  /** The name in messages. */
  id: string;
  file: ModelFile;
  config: DecoderConfig;
  /** LoRA adapters that are served over the same weights; a prompt names one by its index. */
  adapters: readonly NamedAdapter[];
  /** The model scores texts and writes none: it has no output projection, and only `prefillMany` is called. */
  withoutHead: boolean;
  /** Token ids of the texts over which activations are measured. */
  calibration: () => readonly (readonly number[])[];
}

export interface EncoderModel {
  file: ModelFile;
  config: BertConfig;
}

export interface LoadOptions {
  quantization: Quantization;
  threads: number;
  /** Whether idle threads wait in a loop: faster, at the price of the cores. */
  spinning: boolean;
  /** Folder of prepared files. */
  cacheDir: string;
  /** The least recently used prepared files are deleted when all together are larger. */
  maxCacheBytes: number;
  log: (line: string) => void;
}

export interface DecoderLoadOptions extends LoadOptions {
  /** Most rows that step at once, and most requests whose rows are open at once. */
  maxRows: number;
  /** Bytes of keys and values that all requests together may take. */
  kvCacheBytes: number;
}

/** An encoder with a classifier, loaded. */
export interface EncoderDevice {
  /** The classifier's outputs for each row, [rows][labels]: the same to the bit whatever rows are beside it. */
  classify(rows: readonly EncoderRow[]): Promise<number[][]>;
  dispose(): Promise<void>;
}

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

/**
 * A copy of the keys and values of one full chunk. It is freed when it has been released as often as it was retained,
 * plus once for the reference that `readPage` gives. Pages are not part of `bytesHeld`: whoever keeps them bounds them.
 */
export interface CachePage {
  readonly byteLength: number;
  /** Adds a reference. Throws `internal` where the page is freed already. */
  retain(): void;
  /** Gives a reference back; the last one frees the page. */
  release(): void;
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
 * When all logits of a row are wanted: unless the most likely tokens that a step returns hold more than `share` of the
 * mass of the whole vocabulary, or the last of them weighs less than `weight` times the first. Weights are exp(logit *
 * inverseTemperature).
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

/** A decoder, loaded: it fills prompts and steps rows that continue them. */
export interface DecoderDevice {
  readonly config: DecoderConfig;
  /** Tokens of a prefill chunk. Chunks start at its multiples, so that a prompt is always cut at the same places. */
  readonly chunkTokens: number;
  /** Bytes that one token's keys and values take. */
  readonly bytesPerToken: number;
  /** Bytes that keys and values take now: prompts, rows, padding, and memory that is kept for later rows. */
  readonly bytesHeld: number;
  /**
   * Tells the device how many bytes all open requests have reserved. It keeps memory for later rows within this only;
   * open prompts and rows stay within it if it is what `requestBytes` and `scoringBytes` said of them. Until the first
   * call there is no bound.
   */
  setReserved(bytes: number): void;
  /**
   * The most bytes that these requests may hold together, at any point of their lives and in any order of their steps.
   * Adding a request never lowers it. It is less than the sum over requests alone where one buffer serves several of
   * them in turn.
   */
  requestBytes(requests: readonly RequestSize[]): number;
  /** The most bytes that a text holds while `prefillMany` reads it, its part of the run's buffers included. */
  scoringBytes(tokens: number): number;
  /**
   * Room for `tokens` of a prompt.
   * @param adapter index of the adapter that it and its rows are computed with; undefined for the base
   */
  openPrompt(tokens: number, adapter?: number): PromptCache;
  /**
   * Appends one chunk.
   * @returns with `wantLogits`, the logits that follow each of its tokens, [ids.length, V]
   */
  prefill(prompt: PromptCache, ids: readonly number[], wantLogits?: boolean): Promise<Float32Array | undefined>;
  /**
   * Appends a chunk to each of several prompts, many in one run. A chunk that is not full ends its prompt: its keys and
   * values are not kept.
   * @returns for each, the hidden state of its last token after the final norm, [H]
   */
  prefillMany(chunks: readonly PromptChunk[]): Promise<Float32Array[]>;
  /** Copies the chunk that starts at `start` out of a prompt's cache. The caller has one reference, and releases it. */
  readPage(prompt: PromptCache, start: number): Promise<CachePage>;
  /** Appends a full chunk that another prompt computed. The page must not be freed before this resolves. */
  appendPage(prompt: PromptCache, page: CachePage): Promise<void>;
  /**
   * Opens `count` rows that continue a filled prompt by at most `maxAnswerTokens` each. The prompt belongs to them from
   * here on, and is freed with the last of them.
   * @param sequences that `requestBytes` was told of; more than `count` where some ended before their prompt was filled
   */
  openRows(prompt: PromptCache, count: number, maxAnswerTokens: number, sequences?: number): DecodeRow[];
  closeRow(row: DecodeRow): void;
  /** Frees a prompt that no rows were opened for. */
  closePrompt(prompt: PromptCache): void;
  /** Steps rows, each of which is open and named once. Open rows that are not named stay as they are. */
  decode(steps: readonly DecodeStep[]): Promise<StepResult>;
  dispose(): Promise<void>;
}

/** What the cost of a request depends on. */
export interface RequestSize {
  /** Tokens of the prompt's cache. */
  promptTokens: number;
  sequences: number;
  /** Most tokens of each answer. */
  answerTokens: number;
}
