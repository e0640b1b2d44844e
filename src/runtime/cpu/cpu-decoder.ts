/**
 * @file A decoder on the CPU: ONNX Runtime computes, the caches live in plain arrays that are fed as inputs and
 * appended to in place.
 */

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { isByteCache, type CacheType } from "../../architectures/decoder/cached-attention.ts";
import {
  alwaysWanted,
  type CachePage,
  type DecodeRow,
  type DecodeStep,
  type DecoderDevice,
  type PromptCache,
  type PromptChunk,
  type RequestSize,
  type StepResult,
  type TopLogits,
} from "../device.ts";
import { int64Tensor, loadSession, tensor, type Session, type SessionOptions, type Tensor } from "../session.ts";
import { adapterFeed } from "../adapter-feed.ts";
import { causalMask } from "../attention-mask.ts";
import { DecodeBatch, type CpuRow } from "./decode-batch.ts";
import { floats, headInputs, kvOutputs, kvRows, rowResults, stepOutputs, unreadRow, type RowResult } from "./decoder-values.ts";
import { CpuPage } from "./cpu-page.ts";
import { classBound, lengthClassOf, sharingRows } from "./grouping.ts";
import { bytesPerPlace, KvMemory } from "./kv-memory.ts";
import { cacheFeeds, KvSegment, placeGranularity, roundUpPlaces } from "./kv-segment.ts";
import { CpuPrompt } from "./prompt.ts";
import { groupChunks, groupFeeds, heldWhileGathered, PromptGatherer } from "./prompt-group.ts";
import { requestPlaces } from "./request-places.ts";

export interface CpuDecoderOptions extends SessionOptions {
  config: DecoderConfig;
  cacheType: CacheType;
  /** Most rows that step at once, and most requests whose rows are open at once. */
  maxRows: number;
  /** Bytes of keys and values that all rows together may take. */
  kvCacheBytes: number;
  /** Path of the decoder's graph. */
  graph: string;
  /** Adapters that the graph has. */
  adapters?: number;
  /** The graph has no output projection: it can fill prompts together and do nothing else. */
  withoutHead?: boolean;
}

export class CpuDecoder implements DecoderDevice {
  readonly config: DecoderConfig;
  readonly chunkTokens: number;
  readonly bytesPerToken: number;
  readonly #memory: KvMemory;
  readonly #session: Session;
  readonly #adapters: number;
  readonly #hasHead: boolean;
  readonly #gatherer: PromptGatherer;
  /** Batches of rows with prompts of their own, by class of length. */
  readonly #batches = new Map<number, DecodeBatch>();
  /**
   * The answer's cache of a prompt that is filled: places that no token sees, since ONNX Runtime's integer product over
   * no places is undefined. They belong to no request, and are not counted.
   */
  readonly #noAnswer: KvSegment;
  readonly #limits: { maxRows: number; maxPlaces: number };
  /** The segment of the last prompt that was closed, for the next. */
  #spare: KvSegment | undefined;

  static async load(options: CpuDecoderOptions): Promise<CpuDecoder> {
    return new CpuDecoder(options, await loadSession(options.graph, options));
  }

  private constructor(options: CpuDecoderOptions, session: Session) {
    const { layers, kvHeads, headDim } = options.config;
    this.config = options.config;
    const shape = { layers, kvHeads, headDim, type: options.cacheType };
    this.#memory = new KvMemory(shape);
    this.#session = session;
    this.#adapters = options.adapters ?? 0;
    this.#hasHead = options.withoutHead !== true;
    // Answers share their prompt by whole chunks, and a model that only scores reads short answers to short prompts.
    this.chunkTokens = this.#hasHead ? 64 : 32;
    this.#gatherer = new PromptGatherer(this.#memory);
    this.bytesPerToken = bytesPerPlace(shape);
    this.#limits = { maxRows: options.maxRows, maxPlaces: Math.ceil(options.kvCacheBytes / this.bytesPerToken) };
    this.#noAnswer = new KvSegment(new KvMemory(shape), placeGranularity);
    this.#noAnswer.resize(1, placeGranularity);
  }

  get bytesHeld(): number {
    return this.#memory.bytesHeld;
  }

  setReserved(bytes: number): void {
    this.#memory.setReserved(bytes);
  }

  requestBytes(requests: readonly RequestSize[]): number {
    return requestPlaces(requests) * this.bytesPerToken;
  }

  scoringBytes(tokens: number): number {
    return heldWhileGathered * roundUpPlaces(tokens) * this.bytesPerToken;
  }

  openPrompt(tokens: number, adapter?: number): PromptCache {
    const prompt = new CpuPrompt(this.#memory, tokens, this.#spare, adapter);
    if (prompt.segment === this.#spare) this.#spare = undefined;
    return prompt;
  }

  closePrompt(prompt: PromptCache): void {
    const { segment } = prompt as CpuPrompt;
    segment.reset(0, 0);
    this.#spare?.release();
    this.#spare = segment;
  }

  async prefill(cache: PromptCache, ids: readonly number[], wantLogits = false): Promise<Float32Array | undefined> {
    const prompt = cache as CpuPrompt;
    const { segment, length: start } = prompt;
    const { places } = segment;
    const width = places + placeGranularity;
    const count = ids.length;
    const group = this.config.heads / this.config.kvHeads;
    const feeds: Record<string, Tensor> = {
      ids: int64Tensor(ids, [1, count]),
      positions: int64Tensor(
        ids.map((_, index) => start + index),
        [1, count],
      ),
      mask: tensor("float32", causalMask(count, group, width, start), [1, 1, group * count, width + count]),
      lengths: int64Tensor([places, placeGranularity, count], [3]),
      ...headInputs(wantLogits ? ids.map(() => ({ inverseTemperature: 1, wantsLogits: alwaysWanted })) : [unreadRow]),
      ...cacheFeeds(segment, this.#noAnswer),
      ...this.#adapterFeed([prompt.adapter], count),
    };
    const outputs = await this.#session.run(feeds, wantLogits ? { ...kvOutputs, logits: null } : kvOutputs);
    prompt.append(kvRows(outputs), count);
    return wantLogits ? floats(outputs["logits"]) : undefined;
  }

  async prefillMany(chunks: readonly PromptChunk[]): Promise<Float32Array[]> {
    const hidden: Float32Array[] = [];
    for (const { length, indexes } of groupChunks(chunks)) {
      const states = await this.#prefillGroup(
        indexes.map((index) => chunks[index] as PromptChunk),
        length,
      );
      indexes.forEach((index, row) => (hidden[index] = states[row] as Float32Array));
    }
    return hidden;
  }

  async #prefillGroup(chunks: readonly PromptChunk[], length: number): Promise<Float32Array[]> {
    const { heads, kvHeads, contextLength, hiddenSize } = this.config;
    const prompts = chunks.map(({ prompt }) => prompt as CpuPrompt);
    const segment = this.#gatherer.gather(prompts);
    const shape = { group: heads / kvHeads, contextLength, answerPlaces: placeGranularity };
    const feeds = {
      ...cacheFeeds(segment, this.#noAnswer),
      ...(this.#hasHead ? headInputs(chunks.map(() => unreadRow)) : {}),
      ...groupFeeds(chunks, length, segment.places, shape),
      ...this.#adapterFeed(
        prompts.map(({ adapter }) => adapter),
        length,
      ),
    };
    const isFull = ({ ids }: PromptChunk): boolean => ids.length === this.chunkTokens;
    const outputs = await this.#session.run(feeds, chunks.some(isFull) ? { ...kvOutputs, hidden: null } : { hidden: null });
    this.#gatherer.done();
    prompts.forEach((prompt, row) => {
      if (isFull(chunks[row] as PromptChunk)) prompt.append(kvRows(outputs), this.chunkTokens, prompts.length, row);
    });
    const states = floats(outputs["hidden"]);
    return chunks.map((_, row) => states.slice(row * hiddenSize, (row + 1) * hiddenSize));
  }

  async readPage(prompt: PromptCache, start: number): Promise<CachePage> {
    return new CpuPage((prompt as CpuPrompt).segment.read(0, start, this.chunkTokens));
  }

  async appendPage(prompt: PromptCache, page: CachePage): Promise<void> {
    (prompt as CpuPrompt).append((page as CpuPage).rows, this.chunkTokens);
  }

  openRows(cache: PromptCache, count: number, maxAnswerTokens: number, sequences = count): DecodeRow[] {
    const prompt = cache as CpuPrompt;
    if (sequences >= sharingRows) {
      const longestAnswer = roundUpPlaces(maxAnswerTokens + 1);
      const capacity = { promptPlaces: 0, answerPlaces: count * longestAnswer, longestAnswer };
      return new DecodeBatch(this.#memory, capacity, prompt).join(prompt, count, maxAnswerTokens);
    }
    const rows = this.#batchOf(lengthClassOf(prompt.length)).join(prompt, count, maxAnswerTokens);
    this.closePrompt(prompt);
    return rows;
  }

  /** The batch of a class of lengths, for rows with prompts of their own. */
  #batchOf(lengthClass: number): DecodeBatch {
    const existing = this.#batches.get(lengthClass);
    if (existing !== undefined) return existing;
    const { maxRows, maxPlaces } = this.#limits;
    const bound = classBound(lengthClass);
    const places = Math.min((sharingRows - 1) * maxRows * Math.min(bound, roundUpPlaces(this.config.contextLength + 1)), maxPlaces);
    const batch = new DecodeBatch(this.#memory, { promptPlaces: places, answerPlaces: places, longestAnswer: bound });
    this.#batches.set(lengthClass, batch);
    return batch;
  }

  /** Moves the rows whose answers have outgrown their class. */
  #promote(): void {
    for (const [lengthClass, batch] of this.#batches) {
      const bound = classBound(lengthClass);
      for (const row of batch.rows.filter(({ answerLength }) => answerLength + 1 > bound)) this.#batchOf(lengthClass + 1).adopt(row);
    }
  }

  closeRow(row: DecodeRow): void {
    (row as CpuRow).batch.leave(row as CpuRow);
  }

  async decode(steps: readonly DecodeStep[]): Promise<StepResult> {
    const results = new Map<number, RowResult>();
    for (const [batch, stepOfRow] of groupByBatch(steps)) {
      batch.moveToFront(stepOfRow);
      const indexes = batch.rows.slice(0, stepOfRow.size).map((row) => stepOfRow.get(row) as number);
      const run = await this.#step(
        batch,
        indexes.map((index) => steps[index] as DecodeStep),
      );
      indexes.forEach((index, slot) => results.set(index, run[slot] as RowResult));
    }
    this.#promote();
    return {
      rows: steps.map((_, index) => results.get(index)?.top as TopLogits),
      logits: (index) => {
        const logits = results.get(index)?.logits;
        if (logits === undefined) throw new BonsaiError("internal", `Step ${index} did not want all logits.`);
        return logits;
      },
      hidden: (index) => {
        const hidden = results.get(index)?.hidden;
        if (hidden === undefined) throw new BonsaiError("internal", `Step ${index} did not want the hidden state.`);
        return hidden;
      },
    };
  }

  #adapterFeed(chosen: readonly number[], tokens: number): Record<string, Tensor> {
    return adapterFeed(chosen, tokens, this.#adapters, isByteCache(this.#memory.shape.type));
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
  }

  /** One run for the first rows of a batch, in slot order. */
  async #step(batch: DecodeBatch, steps: readonly DecodeStep[]): Promise<RowResult[]> {
    const count = steps.length;
    const ids = steps.map(({ tokenId }) => tokenId);
    const positions = steps.map(({ row }) => row.length);
    const feeds = {
      ...batch.inputs(count),
      ...headInputs(steps),
      ids: int64Tensor(ids, [count, 1]),
      positions: int64Tensor(positions, [count, 1]),
      ...this.#adapterFeed(
        batch.rows.slice(0, count).map(({ start }) => start.adapter),
        1,
      ),
    };
    const wantsHidden = steps.some((step) => step.wantsHidden);
    const outputs = await this.#session.run(feeds, {
      ...kvOutputs,
      ...stepOutputs,
      ...(wantsHidden ? { hidden: null } : {}),
    });
    batch.append(kvRows(outputs), count);
    return rowResults(outputs, count, this.config);
  }
}

/** For each batch, its rows that step, and which step is each row's. */
function groupByBatch(steps: readonly DecodeStep[]): Map<DecodeBatch, Map<CpuRow, number>> {
  const groups = new Map<DecodeBatch, Map<CpuRow, number>>();
  steps.forEach(({ row }, index) => {
    const cpuRow = row as CpuRow;
    const group = groups.get(cpuRow.batch) ?? new Map<CpuRow, number>();
    groups.set(cpuRow.batch, group.set(cpuRow, index));
  });
  return groups;
}
