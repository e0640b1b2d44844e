/** @file One request inside the engine: its prompt, its sequences, what it reserved, and when each phase began. */

import type { DecoderDevice, PromptCache, RequestSize } from "../../runtime/device.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Reservation } from "./admission.ts";
import type { Model } from "../loading/model.ts";
import { chunkKeys } from "./prefix-cache.ts";
import type { Grammar } from "../constraints/token-constraint.ts";
import type { GenerateEvent, GenerateRequest, PromptToken } from "../contract/request.ts";
import type { RewardHead } from "../scoring/reward-head.ts";
import { Sequence } from "./sequence.ts";

export class Generation implements Reservation {
  readonly id: number;
  readonly request: GenerateRequest;
  readonly model: Model;
  readonly promptIds: readonly number[];
  readonly sequenceStates: readonly Sequence[];
  readonly emit: (event: GenerateEvent) => void;
  /** The prompt's tokens but the last, which is the first that decoding feeds. */
  readonly prefillIds: readonly number[];
  /** Keys of the prompt's full chunks; empty when the request needs every token computed. */
  readonly chunkKeys: readonly string[];
  readonly promptTokens: PromptToken[] | undefined;
  /** Most tokens of each answer. */
  readonly maxTokens: number;
  sequences: number;
  readonly size: RequestSize;
  prompt: PromptCache | undefined;
  /** Reads the states in which its sequences end. */
  head: RewardHead | undefined;
  /** What its answers must follow; undefined leaves them free. */
  grammar: Grammar | undefined;
  cachedTokens = 0;
  /** Most tokens that each sequence may have for now. */
  allowedTokens: number;
  /** Indexes of sequences whose ends the others do not wait for. */
  readonly settled = new Set<number>();
  /** Turns of the engine before it was admitted, or until the last chunk of its prompt was computed. */
  lastPrefillTurn = 0;
  /** Whether it is to end before the next turn. */
  cancelled = false;
  /** Why it is cancelled; undefined where the client asked for it. */
  failure: unknown;
  readonly #queuedAtMs = performance.now();
  #startedAtMs = 0;
  #decodingAtMs = 0;

  /** Throws `context_length_exceeded` when prompt and answer do not fit the model. */
  constructor(
    id: number,
    request: GenerateRequest,
    model: Model,
    promptIds: readonly number[],
    defaultMaxTokens: number,
    emit: (event: GenerateEvent) => void,
  ) {
    this.id = id;
    this.request = request;
    this.model = model;
    this.promptIds = promptIds;
    this.emit = emit;
    const maxTokens = answerLimit(promptIds.length, request.maxTokens, model.info.contextLength, defaultMaxTokens);
    this.maxTokens = maxTokens;
    const { device, tokenizer, eosTokenIds } = model;
    this.prefillIds = promptIds.slice(0, -1);
    const wantsPromptLogprobs = request.echo && request.logprobs !== undefined;
    this.promptTokens = wantsPromptLogprobs ? [] : undefined;
    this.chunkKeys = wantsPromptLogprobs ? [] : chunkKeys(model.cacheScope, this.prefillIds, device.chunkTokens);
    const promptSet: ReadonlySet<number> = request.sampling.repetitionPenalty === 1 ? new Set() : new Set(promptIds);
    this.sequenceStates = Array.from({ length: request.n }, (_, index) => {
      const detokenizer = tokenizer.detokenizer({ atSequenceStart: request.prompt.kind === "messages" });
      return new Sequence(request, index, promptIds, promptSet, detokenizer, { maxTokens, eosTokenIds });
    });
    this.sequences = request.n;
    this.allowedTokens = request.pacing?.tokens ?? Infinity;
    this.size = { promptTokens: this.prefillIds.length, sequences: request.n, answerTokens: maxTokens };
  }

  /** The sequences that may take a step, as the request's `pacing` says, in order. */
  get ready(): Sequence[] {
    const open = this.sequenceStates.filter(({ row }) => row !== undefined);
    const shorterThan = (tokens: number): Sequence[] => open.filter(({ length }) => length < tokens);
    if (this.request.pacing?.waitsForEnds !== true) return shorterThan(this.allowedTokens);
    const unsettled = this.sequenceStates.filter(({ index, endedNaturally }) => endedNaturally && !this.settled.has(index));
    const shortest = Math.min(...open.map(({ length }) => length));
    return shorterThan(Math.min(this.allowedTokens, shortest + 1, ...unsettled.map(({ length }) => length + 1)));
  }

  started(): void {
    this.#startedAtMs = performance.now();
  }

  decoding(): void {
    this.#decodingAtMs = performance.now();
  }

  end(): void {
    const nowMs = performance.now();
    const decodingAtMs = this.#decodingAtMs || nowMs;
    const timings = {
      queueMs: this.#startedAtMs - this.#queuedAtMs,
      prefillMs: decodingAtMs - this.#startedAtMs,
      decodeMs: nowMs - decodingAtMs,
    };
    this.emit({ type: "end", timings });
  }
}

function answerLimit(promptTokens: number, maxTokens: number | undefined, contextLength: number, defaultMaxTokens: number): number {
  const left = contextLength - promptTokens;
  if (left < (maxTokens ?? 1)) {
    const asked = maxTokens === undefined ? "" : ` and ${maxTokens} for the answer`;
    throw new BonsaiError(
      "context_length_exceeded",
      `This model's context is ${contextLength} tokens; the prompt takes ${promptTokens}${asked}.`,
      {
        param: maxTokens === undefined || promptTokens >= contextLength ? "messages" : "max_tokens",
      },
    );
  }
  return maxTokens ?? Math.min(left, defaultMaxTokens);
}

/** A base and its adapters step together. */
export function groupByDevice(generations: Iterable<Generation>): Map<DecoderDevice, Generation[]> {
  const groups = new Map<DecoderDevice, Generation[]>();
  for (const generation of generations) {
    const { device } = generation.model;
    const group = groups.get(device);
    if (group === undefined) groups.set(device, [generation]);
    else group.push(generation);
  }
  return groups;
}

/** The most bytes of keys and values that these requests may hold together. */
export function bytesOfGenerations(generations: Iterable<Generation>): number {
  let bytes = 0;
  for (const [device, group] of groupByDevice(generations)) bytes += device.requestBytes(group.map(({ size }) => size));
  return bytes;
}
