/** @file The engine proper: admits requests, fills prompts chunk by chunk between decode steps, and steps all running rows at once. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { DecodeStep, DecoderDevice, PromptCache } from "../../runtime/device.ts";
import { Admission, type AdmissionLimits } from "./admission.ts";
import { DecoderScorer, type ScoringModel } from "../scoring/decoder-scorer.ts";
import { describeLogprob, drawTokens, wantsLogits } from "../sampling/draw.ts";
import { bytesOfGenerations, Generation, groupByDevice } from "./generation.ts";
import { encodePrompt, type Model } from "../loading/model.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { PromptFilling } from "./prompt-filling.ts";
import { promptTokensOf } from "../sampling/prompt-logprobs.ts";
import type { EngineStats, GenerateEvent, GenerateRequest, Prompt } from "../contract/request.ts";
import { inverseTemperature } from "../sampling/sampler.ts";
import { nextAction, type Action } from "./scheduler.ts";
import { headReadingAlong } from "../scoring/decoder-reward.ts";
import type { ScoreRequest } from "../contract/score-request.ts";
import type { Scorer } from "../scoring/scorer.ts";
import { Scoring, type ScoreListener } from "../scoring/scoring.ts";
import type { Sequence } from "./sequence.ts";

export interface EngineLoopOptions extends AdmissionLimits {
  prefixCacheBytes: number;
  /** Most tokens of an answer whose request does not say. */
  defaultMaxTokens: number;
}

/** What becomes of a request, told to whoever asked. */
export interface GenerationListener {
  event(event: GenerateEvent): void;
  /** The request is over and nothing follows. */
  failed(error: unknown): void;
}

export class EngineLoop {
  readonly #models: ReadonlyMap<string, Model>;
  readonly #options: EngineLoopOptions;
  readonly #admission: Admission<Generation>;
  readonly #prefixCache: PrefixCache;
  readonly #filling: PromptFilling;
  readonly #scoring: Scoring;
  readonly #generations = new Map<number, { generation: Generation; listener: GenerationListener }>();
  readonly #prefilling: Generation[] = [];
  readonly #decoding = new Set<Generation>();
  readonly #counters = {
    generatedTokens: 0,
    decodeSteps: 0,
    decodeRows: 0,
    decodeSeconds: 0,
    prefillSeconds: 0,
  };
  #last: Action = "idle";
  #running = false;

  /** @param encoders reward models that are no decoders */
  constructor(models: readonly Model[], options: EngineLoopOptions, encoders: readonly Scorer[] = []) {
    this.#models = new Map(models.map((model) => [model.info.id, model]));
    this.#options = options;
    this.#admission = new Admission(options, bytesOfGenerations);
    this.#prefixCache = new PrefixCache(options.prefixCacheBytes);
    this.#filling = new PromptFilling(this.#prefixCache);
    const decoders = models.filter((model): model is ScoringModel => model.score !== undefined);
    this.#scoring = new Scoring([...decoders.map((model) => new DecoderScorer(model, this.#prefixCache)), ...encoders], options);
  }

  /** Queues a request. Its listener hears everything else, refusals included. */
  start(id: number, request: GenerateRequest, listener: GenerationListener): void {
    try {
      const model = this.#policy(request.model);
      const promptIds = encodePrompt(model, request.prompt);
      const generation = new Generation(id, request, model, promptIds, this.#options.defaultMaxTokens, (event) => listener.event(event));
      if (request.head !== undefined) generation.head = headReadingAlong(model, this.#models.get(request.head), request.head);
      this.#admission.enqueue(generation);
      this.#generations.set(id, { generation, listener });
    } catch (error) {
      listener.failed(error);
      return;
    }
    if (!this.#running) void this.#run();
  }

  /** Queues a request of a reward model, as `start` does. */
  score(id: number, request: ScoreRequest, listener: ScoreListener): void {
    this.#scoring.start(id, request, listener);
    if (!this.#running) void this.#run();
  }

  /** The rows are free before the next step, and then the listener hears of it. */
  cancel(id: number): void {
    const entry = this.#generations.get(id);
    if (entry !== undefined) entry.generation.cancelled = true;
    this.#scoring.cancel(id);
  }

  /** Sequences of a request end before the next step, and the others go on. */
  drop(id: number, indexes: readonly number[]): void {
    const sequences = this.#generations.get(id)?.generation.sequenceStates;
    for (const index of indexes) {
      const sequence = sequences?.[index];
      if (sequence !== undefined) sequence.dropped = true;
    }
  }

  cancelAll(): void {
    this.#scoring.cancelAll();
    for (const { generation } of this.#generations.values()) generation.cancelled = true;
  }

  tokenize(model: string, prompt: Prompt): number[] {
    return encodePrompt(this.#policy(model), prompt);
  }

  stats(): EngineStats {
    const [first] = this.#models.values();
    const bytesPerToken = first?.device.bytesPerToken ?? 1;
    return {
      ...this.#counters,
      ...this.#filling.counters,
      ...this.#scoring.stats(),
      runningSequences: this.#admission.runningSequences,
      waitingSequences: this.#admission.waitingSequences,
      waitingRequests: this.#admission.waitingRequests,
      kvTokensReserved: Math.floor(this.#admission.runningBytes / bytesPerToken),
      kvTokensCapacity: Math.floor(this.#options.kvCacheBytes / bytesPerToken),
      prefixCacheBytes: this.#prefixCache.byteLength,
    };
  }

  #policy(id: string): Model {
    const model = this.#models.get(id);
    if (model === undefined)
      throw new BonsaiError("model_not_found", `The model "${id}" does not exist; GET /v1/models lists those that do.`, { param: "model" });
    if (model.score !== undefined)
      throw new BonsaiError("invalid_request", `The model ${id} scores answers and writes none.`, { param: "model" });
    return model;
  }

  /** Runs until there is nothing left to do. */
  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      // Messages are heard here: requests that arrived in the same turn start together, and a cancelled one takes no further step.
      await new Promise((resolve) => setImmediate(resolve));
      this.#dropCancelled();
      this.#endDropped(this.#decoding);
      for (const generation of this.#admission.admit()) {
        generation.started();
        this.#prefilling.push(generation);
      }
      this.#reserve();
      const scoring = this.#scoring.hasWork ? 1 : 0;
      const action = nextAction({ prefilling: this.#prefilling.length, decoding: this.#decoding.size, scoring, last: this.#last });
      this.#last = action;
      if (action === "idle") break;
      const startMs = performance.now();
      if (action === "score") await this.#scoring.step();
      else if (action === "prefill") {
        const [generation] = this.#prefilling as [Generation];
        await this.#guard([generation], () => this.#prefillChunk(generation));
        this.#counters.prefillSeconds += (performance.now() - startMs) / 1000;
      } else {
        for (const [device, generations] of groupByDevice(this.#decoding))
          await this.#guard(generations, () => this.#decodeStep(device, generations));
        this.#counters.decodeSeconds += (performance.now() - startMs) / 1000;
      }
    }
    this.#running = false;
  }

  /** Tells the devices what their requests have reserved. */
  #reserve(): void {
    const running = groupByDevice([...this.#prefilling, ...this.#decoding]);
    for (const device of new Set([...this.#models.values()].map((model) => model.device))) {
      const sizes = (running.get(device) ?? []).map(({ size }) => size);
      device.setReserved(device.requestBytes(sizes) + this.#scoring.reservedBytes);
    }
  }

  #dropCancelled(): void {
    this.#scoring.dropCancelled();
    for (const { generation, listener } of this.#generations.values()) {
      if (!generation.cancelled) continue;
      this.#close(generation);
      listener.failed(new BonsaiError("cancelled", "The request was cancelled."));
    }
  }

  /** Ends the sequences of running requests that are to be dropped; those of others end when their prompts are filled. */
  #endDropped(generations: Iterable<Generation>): void {
    for (const generation of generations) {
      for (const sequence of generation.sequenceStates) {
        if (!sequence.dropped || sequence.finished !== undefined) continue;
        sequence.finished = "dropped";
        this.#finishSequence(generation, sequence);
      }
      this.#finishIfEnded(generation);
    }
  }

  /** Frees everything that a generation holds. */
  #close(generation: Generation): void {
    const { device } = generation.model;
    for (const sequence of generation.sequenceStates) {
      if (sequence.row !== undefined) device.closeRow(sequence.row);
      sequence.row = undefined;
    }
    if (generation.prompt !== undefined) device.closePrompt(generation.prompt);
    generation.prompt = undefined;
    const waiting = this.#prefilling.indexOf(generation);
    if (waiting >= 0) this.#prefilling.splice(waiting, 1);
    this.#decoding.delete(generation);
    this.#admission.remove(generation);
    this.#generations.delete(generation.id);
  }

  /** One chunk of the oldest prompt. */
  async #prefillChunk(generation: Generation): Promise<void> {
    if (!(await this.#filling.advance(generation, generation.model.device.chunkTokens))) return;
    this.#prefilling.splice(this.#prefilling.indexOf(generation), 1);
    this.#fork(generation, generation.prompt as PromptCache);
  }

  /** Opens a row for each sequence, all over the one prompt. */
  #fork(generation: Generation, prompt: PromptCache): void {
    const { request, model, sequenceStates, promptIds } = generation;
    generation.decoding();
    const echo = request.echo
      ? { text: model.tokenizer.decode(promptIds, { skipSpecialTokens: true }), tokens: promptTokensOf(generation) }
      : undefined;
    generation.emit({ type: "start", promptTokens: promptIds.length, cachedTokens: generation.cachedTokens, echo });
    for (const sequence of sequenceStates) {
      if (sequence.dropped) sequence.finished ??= "dropped";
      if (sequence.finished !== undefined) this.#finishSequence(generation, sequence);
    }
    if (this.#finishIfEnded(generation)) return;
    const live = sequenceStates.filter((sequence) => sequence.finished === undefined);
    const rows = model.device.openRows(prompt, live.length, generation.maxTokens, request.n);
    generation.prompt = undefined;
    live.forEach((sequence, index) => (sequence.row = rows[index]));
    this.#decoding.add(generation);
  }

  async #decodeStep(device: DecoderDevice, generations: readonly Generation[]): Promise<void> {
    const live = generations.flatMap((generation) =>
      generation.sequenceStates
        .filter(({ row }) => row !== undefined)
        .map((sequence) => ({ generation, sequence, uniform: sequence.draw() })),
    );
    const steps = live.map(({ generation, sequence, uniform }): DecodeStep => {
      return {
        row: sequence.row as DecodeStep["row"],
        tokenId: sequence.nextToken,
        inverseTemperature: inverseTemperature(generation.request.sampling),
        wantsLogits: wantsLogits(generation.request, uniform, device.config.vocabSize),
        wantsHidden: generation.head !== undefined,
      };
    });
    const result = await device.decode(steps);
    const inputs = live.map(({ generation, sequence, uniform }) => ({ request: generation.request, history: sequence.history, uniform }));
    const drawn = drawTokens(inputs, result);
    this.#counters.decodeSteps++;
    this.#counters.decodeRows += live.length;
    this.#counters.generatedTokens += live.length;
    live.forEach(({ generation, sequence }, index) => {
      const token = drawn[index];
      // A sequence without a row belongs to a request that another of its rows has failed.
      if (token === undefined || generation.cancelled || sequence.row === undefined) return;
      if (token instanceof Error) {
        this.#failSequence(generation, sequence, token);
        return;
      }
      const text = sequence.push(token.tokenId);
      const logprob = generation.request.logprobs === undefined ? undefined : describeLogprob(generation.model.tokenizer, token);
      const logprobs = logprob && [logprob];
      const logprobSum = generation.request.sumLogprobs === true ? token.logprob?.own : undefined;
      generation.emit({ type: "delta", index: sequence.index, text, tokenIds: [token.tokenId], logprobs, logprobSum });
      if (sequence.finished === undefined) return;
      const outputs = sequence.endedItself ? generation.head?.outputs(result.hidden(index)) : undefined;
      this.#finishSequence(generation, sequence, outputs);
    });
    for (const generation of generations) if (!generation.cancelled) this.#finishIfEnded(generation);
  }

  /** A row's numbers that are none end its request, or the sequence alone where the request says so and another one has not failed. */
  #failSequence(generation: Generation, sequence: Sequence, error: Error): void {
    const others = generation.sequenceStates.filter((other) => other !== sequence);
    if (generation.request.failAlone !== true || others.every(({ finished }) => finished === "failed")) {
      this.#fail([generation], error);
      return;
    }
    sequence.finished = "failed";
    this.#finishSequence(generation, sequence);
  }

  /** @param outputs of the reward model that read along */
  #finishSequence(generation: Generation, sequence: Sequence, outputs?: number[]): void {
    if (sequence.row !== undefined) generation.model.device.closeRow(sequence.row);
    sequence.row = undefined;
    this.#admission.sequenceEnded(generation);
    const { index, finished: reason = "stop", length: completionTokens } = sequence;
    generation.emit({ type: "finish", index, reason, completionTokens, ...(outputs === undefined ? {} : { outputs }) });
  }

  /** @returns whether all of its sequences have ended, and so the request */
  #finishIfEnded(generation: Generation): boolean {
    if (generation.sequenceStates.some(({ finished }) => finished === undefined)) return false;
    this.#close(generation);
    generation.end();
    return true;
  }

  /** A failure ends the requests that it concerns, and no others. */
  async #guard(generations: readonly Generation[], work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#fail(generations, error);
    }
  }

  #fail(generations: readonly Generation[], error: unknown): void {
    for (const generation of generations) {
      const listener = this.#generations.get(generation.id)?.listener;
      this.#close(generation);
      listener?.failed(error);
    }
  }
}
