/** @file The engine's loop: admits requests, plans each turn, carries it out, and frees what has ended. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { DecoderDevice } from "../../runtime/device.ts";
import { ChoiceGrammar } from "../constraints/choice-grammar.ts";
import type { Grammar } from "../constraints/token-constraint.ts";
import { overloaded, type AdmissionLimits } from "./admission.ts";
import { DecoderScorer, type ScoringModel } from "../scoring/decoder-scorer.ts";
import { emitToken, groupRows, stepRows, type RunningRow } from "./decode-step.ts";
import { Generation, groupByDevice } from "./generation.ts";
import { readPrompt, type Model } from "../loading/model.ts";
import { OpenRequests, type GenerationListener } from "./open-requests.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { PromptFilling } from "./prompt-filling.ts";
import { PromptReading, type PromptListener } from "./prompt-reading.ts";
import { promptTokensOf } from "../sampling/prompt-logprobs.ts";
import type { LoopStats, GenerateRequest, Prompt } from "../contract/request.ts";
import { planTurn, type Turn, type TurnPlan } from "./scheduler.ts";
import { headReadingAlong } from "../scoring/decoder-reward.ts";
import type { ScoreRequest } from "../contract/score-request.ts";
import type { Scorer } from "../scoring/scorer.ts";
import { Scoring, type ScoreListener } from "../scoring/scoring.ts";

export interface EngineLoopOptions extends AdmissionLimits {
  prefixCacheBytes: number;
  /** Most tokens of an answer whose request does not say. */
  defaultMaxTokens: number;
}

export class EngineLoop {
  readonly #models: ReadonlyMap<string, Model>;
  readonly #options: EngineLoopOptions;
  readonly #requests: OpenRequests;
  readonly #prefixCache: PrefixCache;
  readonly #filling: PromptFilling;
  readonly #scoring: Scoring;
  readonly #reading = new PromptReading();
  readonly #counters = {
    generatedTokens: 0,
    decodeSteps: 0,
    decodeRows: 0,
    decodeSeconds: 0,
    prefillSeconds: 0,
  };
  #last: Turn = "idle";
  #turns = 0;
  #prefillTurns = 0;
  #running = false;
  /** Ends the wait for a grammar. */
  #wake: (() => void) | undefined;

  /** @param encoders reward models that are no decoders */
  constructor(models: readonly Model[], options: EngineLoopOptions, encoders: readonly Scorer[] = []) {
    this.#models = new Map(models.map((model) => [model.info.id, model]));
    this.#options = options;
    this.#requests = new OpenRequests(options);
    this.#prefixCache = new PrefixCache(options.prefixCacheBytes);
    this.#filling = new PromptFilling(this.#prefixCache);
    const decoders = models.filter((model): model is ScoringModel => model.score !== undefined);
    this.#scoring = new Scoring([...decoders.map((model) => new DecoderScorer(model, this.#prefixCache)), ...encoders], options);
  }

  /** Queues a request. Its listener hears everything that follows, refusals included. */
  start(id: number, request: GenerateRequest, listener: GenerationListener): void {
    this.#read(id, request.n, request, {
      read: (model, ids) => this.#enqueue(id, request, model, ids, listener),
      failed: (error) => listener.failed(error),
    });
  }

  /** Tokenises a prompt in turn with those of other requests. */
  tokenize(id: number, model: string, prompt: Prompt, listener: PromptListener): void {
    this.#read(id, 0, { model, prompt }, { ...listener, read: (_, ids) => listener.read(ids) });
  }

  #read(
    id: number,
    sequences: number,
    request: Pick<GenerateRequest, "model" | "prompt">,
    { read, failed }: { read: (model: Model, ids: number[]) => void; failed: (error: unknown) => void },
  ): void {
    try {
      const model = this.#policy(request.model);
      this.#refuseIfFull(sequences);
      this.#reading.start(id, sequences, readPrompt(model, request.prompt), { read: (ids) => read(model, ids), failed });
    } catch (error) {
      failed(error);
    }
  }

  /** A request that would not be admitted once its prompt is read is not read. */
  #refuseIfFull(sequences: number): void {
    const { maxSequences, maxQueuedSequences } = this.#options;
    const { runningSequences, waitingSequences } = this.#requests.admission;
    const waiting = waitingSequences + this.#reading.sequences;
    if (this.#reading.sequences > 0 && runningSequences + waiting + sequences > maxSequences + maxQueuedSequences)
      throw overloaded(waiting, this.#options);
  }

  #enqueue(id: number, request: GenerateRequest, model: Model, promptIds: number[], listener: GenerationListener): void {
    const generation = new Generation(id, request, model, promptIds, this.#options.defaultMaxTokens, (event) => listener.event(event));
    if (request.head !== undefined) generation.head = headReadingAlong(model, this.#models.get(request.head), request.head);
    const { choices, ignoreEos } = request;
    const grammar = choices && new ChoiceGrammar(model.tokenizer, choices, model.info.vocabSize, ignoreEos ? new Set() : model.eosTokenIds);
    generation.grammar = grammar;
    this.#requests.add(generation, listener);
    if (grammar !== undefined) void this.#compile(generation, grammar);
    this.wake();
  }

  /** Queues a request of a reward model, as `start` does. */
  score(id: number, request: ScoreRequest, listener: ScoreListener): void {
    this.#scoring.start(id, request, listener);
    this.wake();
  }

  /** The rows are free before the next step, and then the listener hears of it. */
  cancel(id: number): void {
    if (this.#reading.cancel(id)) return;
    const generation = this.#requests.get(id);
    if (generation !== undefined) generation.cancelled = true;
    this.#scoring.cancel(id);
    this.#wake?.();
  }

  /** Sequences of a request end before the next step, and the others go on. */
  drop(id: number, indexes: readonly number[]): void {
    const sequences = this.#requests.get(id)?.sequenceStates;
    for (const index of indexes) {
      const sequence = sequences?.[index];
      if (sequence !== undefined) sequence.dropped = true;
    }
    this.#wake?.();
  }

  /** Sequences of a request with a `pacing` go on, before the next step. */
  proceed(id: number, tokens: number, settled: readonly number[]): void {
    const generation = this.#requests.get(id);
    if (generation === undefined) return;
    generation.allowedTokens = tokens;
    for (const index of settled) generation.settled.add(index);
    this.#wake?.();
  }

  cancelAll(): void {
    this.#reading.cancelAll();
    this.#scoring.cancelAll();
    this.#requests.cancelAll();
    this.#wake?.();
  }

  stats(): LoopStats {
    const [first] = this.#models.values();
    const bytesPerToken = first?.device.bytesPerToken ?? 1;
    return {
      ...this.#counters,
      ...this.#filling.counters,
      ...this.#scoring.stats(),
      runningSequences: this.#requests.admission.runningSequences,
      waitingSequences: this.#requests.admission.waitingSequences,
      waitingRequests: this.#requests.admission.waitingRequests,
      kvTokensReserved: Math.floor(this.#requests.admission.runningBytes / bytesPerToken),
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

  /** Looks at what there is to do, after a change from outside such as room in a listener that was full. */
  wake(): void {
    this.#wake?.();
    if (!this.#running) void this.#run();
  }

  /** Runs until there is nothing left to do. */
  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      // Messages are heard here: requests that arrived in the same turn start together, and a cancelled one takes no
      // further step.
      await new Promise((resolve) => setImmediate(resolve));
      this.#scoring.dropCancelled();
      this.#requests.endCancelled();
      this.#requests.endDropped();
      this.#requests.admit(this.#turns);
      this.#reserve();
      this.#openReady();
      const plan = this.#plan();
      this.#last = plan.turn;
      this.#turns++;
      if (plan.turn !== "idle") await this.#execute(plan);
      else if (this.#requests.decoding.size === 0) break;
      else await this.#grammarOrMessage();
    }
    this.#running = false;
  }

  #plan(): TurnPlan<Generation, RunningRow> {
    const prompts = this.#requests.prefilling.map((generation) => ({
      generation,
      chunksLeft: this.#filling.chunksLeft(generation),
      lastTurn: generation.lastPrefillTurn,
    }));
    const rows = [...this.#requests.decoding]
      .filter((generation) => !this.#requests.isFull(generation))
      .map((generation) => generation.ready.map((sequence) => ({ generation, sequence })));
    const scoring = this.#scoring.hasWork ? 1 : 0;
    const { maxSequences: mostRows } = this.#options;
    return planTurn({ prompts, rows, scoring, last: this.#last, prefillTurns: this.#prefillTurns, mostRows });
  }

  async #execute({ turn, prefill, decode }: TurnPlan<Generation, RunningRow>): Promise<void> {
    const startMs = performance.now();
    if (turn === "score") return this.#scoring.step();
    if (prefill !== undefined) await this.#guard([prefill], () => this.#prefillChunk(prefill));
    for (const [device, rows] of groupRows(decode)) {
      const generations = new Set(rows.map(({ generation }) => generation));
      await this.#guard(generations, () => this.#decodeStep(device, rows, generations));
    }
    this.#counters[turn === "prefill" ? "prefillSeconds" : "decodeSeconds"] += (performance.now() - startMs) / 1000;
  }

  /** Rests while every row waits for its grammar, its reader or a decision. */
  async #grammarOrMessage(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
  }

  async #compile(generation: Generation, grammar: Grammar): Promise<void> {
    try {
      await grammar.ready;
    } catch (error) {
      generation.failure = error;
      generation.cancelled = true;
    }
    this.#wake?.();
  }

  /** Tells the devices what their requests have reserved. */
  #reserve(): void {
    const running = groupByDevice([...this.#requests.prefilling, ...this.#requests.decoding]);
    for (const device of new Set([...this.#models.values()].map((model) => model.device))) {
      const sizes = (running.get(device) ?? []).map(({ size }) => size);
      device.setReserved(device.requestBytes(sizes) + this.#scoring.reservedBytes);
    }
  }

  async #prefillChunk(generation: Generation): Promise<void> {
    this.#prefillTurns++;
    generation.lastPrefillTurn = this.#turns;
    if (!(await this.#filling.advance(generation))) return;
    this.#requests.prefilling.splice(this.#requests.prefilling.indexOf(generation), 1);
    this.#startDecoding(generation);
  }

  /** Announces a request whose prompt is filled, and lets it decode. */
  #startDecoding(generation: Generation): void {
    const { request, model, sequenceStates, promptIds } = generation;
    generation.decoding();
    const echo = request.echo
      ? { text: model.tokenizer.decode(promptIds, { skipSpecialTokens: true }), tokens: promptTokensOf(generation) }
      : undefined;
    generation.emit({ type: "start", promptTokens: promptIds.length, cachedTokens: generation.cachedTokens, echo });
    for (const sequence of sequenceStates) {
      if (sequence.dropped) sequence.finished ??= "dropped";
      if (sequence.finished !== undefined) this.#requests.finishSequence(generation, sequence);
    }
    if (this.#requests.finishIfEnded(generation)) return;
    this.#requests.decoding.add(generation);
    this.#openRows(generation);
  }

  /** Nothing is awaited between this and the plan, so that no grammar becomes ready unseen. */
  #openReady(): void {
    for (const generation of this.#requests.decoding) {
      try {
        this.#openRows(generation);
      } catch (error) {
        this.#requests.fail([generation], error);
      }
    }
  }

  /**
   * Opens a row for each sequence, all over the one prompt, as soon as the grammar is ready: open rows step together.
   */
  #openRows(generation: Generation): void {
    const { request, model, sequenceStates, prompt, grammar } = generation;
    if (prompt === undefined || grammar?.isReady === false) return;
    const live = sequenceStates.filter((sequence) => sequence.finished === undefined);
    const rows = model.device.openRows(prompt, live.length, generation.maxTokens, request.n);
    generation.prompt = undefined;
    live.forEach((sequence, index) => (sequence.row = rows[index]));
  }

  async #decodeStep(device: DecoderDevice, rows: readonly RunningRow[], generations: Iterable<Generation>): Promise<void> {
    const stepped = await stepRows(device, rows);
    this.#counters.decodeSteps++;
    this.#counters.decodeRows += rows.length;
    this.#counters.generatedTokens += rows.length;
    for (const row of stepped) {
      const { generation, sequence, token } = row;
      // A sequence without a row belongs to a request that another of its rows has failed.
      if (generation.cancelled || sequence.row === undefined) continue;
      if (token instanceof Error) {
        this.#requests.failSequence(generation, sequence, token);
        continue;
      }
      emitToken({ generation, sequence }, token);
      if (sequence.finished === undefined) continue;
      const outputs = sequence.endedItself ? generation.head?.outputs(row.hidden()) : undefined;
      this.#requests.finishSequence(generation, sequence, outputs);
    }
    for (const generation of generations) if (!generation.cancelled) this.#requests.finishIfEnded(generation);
  }

  /** A failure ends the requests that it concerns, and no others. */
  async #guard(generations: Iterable<Generation>, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#requests.fail(generations, error);
    }
  }
}
