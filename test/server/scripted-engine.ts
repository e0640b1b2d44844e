/**
 * @file A small deterministic engine for tests of the HTTP edge: it really tokenises (bytes), samples by seed, stops,
 * queues and cancels; only its model is a word list.
 */

import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import type { PrefixMeasurement, RewardDescription } from "../../src/engine/contract/reward-description.ts";
import type { Score, ScoreRequest, ScoreResult } from "../../src/engine/contract/score-request.ts";
import type { Backend, Capabilities } from "../../src/engine/contract/request.ts";
import type {
  EngineStats,
  GenerateEvent,
  GenerateRequest,
  Generating,
  ModelInfo,
  Prompt,
  TokenLogprob,
} from "../../src/engine/contract/request.ts";

const words = ["The bear ", "sews ", "a seam, ", "drinks tea ", "with Zoë ", "and a 🧵. ", "Good night, ", "little one! "];

/** Mixes integers into one of 32 bits (murmur3's finaliser over a running sum). */
function mix(...values: number[]): number {
  let hash = 0x9e3779b9;
  for (const value of values) {
    for (const part of [value >>> 0, Math.floor(value / 2 ** 32) >>> 0]) {
      hash = Math.imul(hash ^ part, 0x85ebca6b);
      hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
      hash ^= hash >>> 16;
    }
  }
  return hash >>> 0;
}

export interface ScriptedEngineOptions {
  maxSequences?: number;
  maxQueuedSequences?: number;
  contextLength?: number;
  ids?: string[];
  /** Whether candidates can be dropped before their end. */
  canDrop?: boolean;
  /** Names of further reward models. */
  rewardIds?: string[];
  /** The reward model that the first policy names as its own. */
  namedReward?: string;
  /** Whether "own" is there, which reads the states of the first policy. */
  hasHead?: boolean;
  /** Awaited before every token: a test can hold the engine there. */
  beforeToken?: (signal: AbortSignal | undefined) => Promise<void> | void;
  /** Awaited before every score. */
  beforeScore?: (signal: AbortSignal | undefined, request: ScoreRequest) => Promise<void> | void;
  /** What was measured of the reward model's judgement of prefixes. */
  prefixes?: PrefixMeasurement;
  /** Whether "value" is there, a value model, which says of a prefix what the reward models say. */
  hasValueModel?: boolean;
  /** Thrown instead of the token of that position. */
  failure?: { position: number; error: Error };
}

export const scriptedReward: RewardDescription = {
  form: "decoder",
  dimensions: ["usefulness", "safety"],
  weights: [0.75, 0.25],
  normalization: {
    dimensions: [
      { mean: 10, deviation: 2 },
      { mean: -1, deviation: 0.5 },
    ],
    holistic: { mean: 7, deviation: 4 },
    reference: "made up",
  },
  maxLength: 256,
};

export const scriptedModel = (id: string, contextLength: number, kind: "policy" | "reward" = "policy"): ModelInfo => ({
  id,
  kind,
  base: undefined,
  created: 1_700_000_000,
  contextLength,
  vocabSize: 257,
  quantization: "fp32",
  device: "cpu",
  hasChatTemplate: id !== "no-template",
  fingerprint: "fp_scripted",
  ...(kind === "reward" ? { reward: scriptedReward, contextLength: Math.min(contextLength, scriptedReward.maxLength) } : {}),
});

const encoder = new TextEncoder();

export class ScriptedEngine implements Required<Backend> {
  readonly models: readonly ModelInfo[];
  readonly capabilities: Capabilities;
  readonly unavailable = undefined;
  readonly lost = new Promise<never>(() => {});
  readonly #options: Required<Pick<ScriptedEngineOptions, "maxSequences" | "maxQueuedSequences" | "contextLength">> & ScriptedEngineOptions;
  readonly #waiting: { n: number; admit: () => void }[] = [];
  #running = 0;
  #counters = { promptTokens: 0, generatedTokens: 0, decodeSteps: 0, decodeRows: 0, scoredInputs: 0, scoredTokens: 0 };
  /** Requests as they came. */
  readonly requests: GenerateRequest[] = [];
  readonly scoreRequests: ScoreRequest[] = [];

  constructor(options: ScriptedEngineOptions = {}) {
    this.#options = { maxSequences: 64, maxQueuedSequences: 256, contextLength: 4096, ...options };
    this.capabilities = { exactSeeds: true, tokenIds: true, exactCounts: true, drop: options.canDrop ?? true };
    const reward = scriptedModel("reward", this.#options.contextLength, "reward");
    this.models = [
      ...(options.ids ?? ["scripted", "org/scripted", "no-template"]).map((id) => scriptedModel(id, this.#options.contextLength)),
      { ...reward, reward: { ...scriptedReward, prefixes: options.prefixes } },
      ...(options.rewardIds ?? []).map((id) => scriptedModel(id, this.#options.contextLength, "reward")),
    ];
    if (options.namedReward !== undefined)
      this.models = [{ ...this.models[0]!, rewardModel: options.namedReward }, ...this.models.slice(1)];
    if (options.hasValueModel === true) {
      const value = scriptedModel("value", this.#options.contextLength, "reward");
      this.models = [...this.models, { ...value, reward: { ...scriptedReward, form: "value" } }];
    }
    if (options.hasHead !== true) return;
    const head = { id: "own", base: this.models[0]!.id, reward: { ...scriptedReward, form: "policy-head" as const } };
    this.models = [...this.models, { ...scriptedModel("own", this.#options.contextLength, "reward"), ...head }];
  }

  async tokenize(_model: string, prompt: Prompt): Promise<number[]> {
    if (prompt.kind === "tokens") return prompt.ids;
    const text =
      prompt.kind === "text"
        ? prompt.text
        : prompt.messages.map((message) => `<${message.role}>${message.content}</${message.role}>`).join("");
    return [256, ...encoder.encode(text)];
  }

  /** Usefulness is the answer's length in bytes, safety minus the number of its exclamation marks. */
  async score(request: ScoreRequest, signal?: AbortSignal): Promise<ScoreResult> {
    this.scoreRequests.push(request);
    if (request.inputs.length > this.#options.maxQueuedSequences)
      throw new BonsaiError("overloaded", "The queue is full.", { retryAfterSeconds: 1 });
    const scores = request.inputs.map(({ prompt, answer: { content: answer }, param }): Score => {
      const tokens = encoder.encode([...prompt.map(({ content }) => content), answer].join("\n")).length + 1;
      const most = Math.min(scriptedReward.maxLength, this.#options.contextLength);
      if (tokens > most && !request.truncate)
        throw new BonsaiError("context_length_exceeded", `${param} has ${tokens} tokens; ${most} are read.`, { param });
      const raw = rawOutputs(answer);
      return { raw, tokens: Math.min(tokens, most), cachedTokens: 1, cutTokens: Math.max(0, tokens - most) };
    });
    await this.#options.beforeScore?.(signal, request);
    if (signal?.aborted) throw signal.reason;
    this.#counters.scoredInputs += scores.length;
    for (const { tokens } of scores) this.#counters.scoredTokens += tokens;
    return { scores, timings: { queueMs: 1, computeMs: 2 } };
  }

  generate(request: GenerateRequest, signal?: AbortSignal): Generating {
    const dropped = new Set<number>();
    const pace = { tokens: request.pacing?.tokens ?? Infinity, settled: new Set<number>() };
    return {
      [Symbol.asyncIterator]: () => this.#eventsOf(request, dropped, pace, signal),
      proceed: (tokens, settled) => {
        pace.tokens = tokens;
        for (const index of settled) pace.settled.add(index);
      },
      drop: (indexes) => {
        for (const index of indexes) dropped.add(index);
      },
    };
  }

  async *#eventsOf(
    request: GenerateRequest,
    dropped: ReadonlySet<number>,
    pace: { tokens: number; settled: ReadonlySet<number> },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    this.requests.push(request);
    const prompt = await this.tokenize(request.model, request.prompt);
    if (prompt.length >= this.#options.contextLength) {
      throw new BonsaiError(
        "context_length_exceeded",
        `The prompt has ${prompt.length} tokens; the model's context is ${this.#options.contextLength}.`,
        { param: "messages" },
      );
    }
    await this.#admission(request.n, signal);
    this.#running += request.n;
    try {
      this.#counters.promptTokens += prompt.length;
      yield {
        type: "start",
        promptTokens: prompt.length,
        cachedTokens: Math.floor(prompt.length / 2),
        ...(request.echo ? { echo: this.#echo(request, prompt) } : {}),
      };
      const limit = Math.min(request.maxTokens ?? Infinity, this.#options.contextLength - prompt.length);
      const rows = Array.from({ length: request.n }, (_, index) => new Row(request, index, limit, prompt));
      for (let position = 0; rows.some((row) => !row.finished); position++) {
        await new Promise((resolve) => setImmediate(resolve));
        await this.#options.beforeToken?.(signal);
        if (signal?.aborted === true) throw signal.reason;
        if (this.#options.failure?.position === position) throw this.#options.failure.error;
        this.#counters.decodeSteps += 1;
        for (const [index, row] of rows.entries()) {
          if (row.finished) continue;
          if (dropped.has(index)) {
            yield* row.drop();
            continue;
          }
          const ends = rows.filter((other, at) => other.hasEnded && !pace.settled.has(at)).map(({ count }) => count);
          if (row.count >= Math.min(pace.tokens, ...(request.pacing?.waitsForEnds === true ? ends.map((count) => count + 1) : [])))
            continue;
          this.#counters.decodeRows += 1;
          for (const event of row.step()) {
            if (event.type === "delta") this.#counters.generatedTokens += event.tokenIds.length;
            yield event;
          }
        }
      }
      yield { type: "end", timings: { queueMs: 0, prefillMs: 1, decodeMs: 1 } };
    } finally {
      this.#running -= request.n;
      this.#admitNext();
    }
  }

  #echo(request: GenerateRequest, prompt: number[]) {
    const ids = prompt.filter((id) => id < 256);
    return {
      text: new TextDecoder().decode(Uint8Array.from(ids)),
      tokens:
        request.logprobs === undefined
          ? undefined
          : ids.map((id, place) => ({
              ...scored(id, request.logprobs!),
              logprob: place === 0 ? null : -5,
              top: place === 0 ? [] : scored(id, request.logprobs!).top,
            })),
    };
  }

  async #admission(n: number, signal: AbortSignal | undefined): Promise<void> {
    if (n > this.#options.maxSequences)
      throw new BonsaiError("request_too_large", `n = ${n} is more than the ${this.#options.maxSequences} sequences that run at once.`, {
        param: "n",
      });
    if (this.#waiting.length === 0 && this.#running + n <= this.#options.maxSequences) return;
    const queued = this.#waiting.reduce((sum, entry) => sum + entry.n, 0);
    if (queued + n > this.#options.maxQueuedSequences) throw new BonsaiError("overloaded", "The queue is full.", { retryAfterSeconds: 1 });
    await new Promise<void>((resolve, reject) => {
      const entry = { n, admit: resolve };
      this.#waiting.push(entry);
      signal?.addEventListener("abort", () => {
        const place = this.#waiting.indexOf(entry);
        if (place >= 0) this.#waiting.splice(place, 1);
        reject(signal.reason as Error);
      });
    });
  }

  #admitNext(): void {
    const [next] = this.#waiting;
    if (next === undefined || this.#running + next.n > this.#options.maxSequences) return;
    this.#waiting.shift();
    next.admit();
  }

  stats(): EngineStats {
    return {
      runningSequences: this.#running,
      waitingSequences: this.#waiting.reduce((sum, entry) => sum + entry.n, 0),
      waitingRequests: this.#waiting.length,
      kvTokensReserved: this.#running * 10,
      kvTokensCapacity: this.#options.maxSequences * this.#options.contextLength,
      prefixCacheBytes: 0,
      prefixCacheHitTokens: Math.floor(this.#counters.promptTokens / 2),
      prefixCacheQueryTokens: this.#counters.promptTokens,
      prefillChunks: 0,
      decodeSeconds: 0,
      prefillSeconds: 0,
      scoredCachedTokens: 0,
      scoringRuns: 0,
      scoringSeconds: 0,
      scoringInputs: 0,
      workerRestarts: 0,
      workerResidentBytes: 0,
      changedModelSources: 0,
      ...this.#counters,
    };
  }

  async close(): Promise<void> {}
}

/** What the reward models make of an answer. */
function rawOutputs(answer: string): number[] {
  return [encoder.encode(answer).length, -answer.split("!").length + 1];
}

function tokenText(id: number): string {
  return new TextDecoder().decode(Uint8Array.of(id));
}

function scored(id: number, k: number): TokenLogprob {
  const one = (other: number, place: number) => ({ token: tokenText(other), bytes: [other], logprob: -1 - place });
  return { ...one(id, 0), top: Array.from({ length: k }, (_, place) => one((id + place) % 256, place)) };
}

/** One sequence: its bytes come one a step, and its text as characters become whole. */
class Row {
  finished = false;
  hasEnded = false;
  count = 0;
  readonly #request: GenerateRequest;
  readonly #index: number;
  readonly #limit: number;
  readonly #salt: number;
  readonly #decoder = new TextDecoder();
  #bytes: number[] = [];
  #wordsLeft: number;
  #text = "";
  #sent = 0;

  constructor(request: GenerateRequest, index: number, limit: number, prompt: number[]) {
    this.#request = request;
    this.#index = index;
    this.#limit = limit;
    this.#salt = request.sampling.temperature === 0 ? mix(...prompt) : mix(request.seed, index, ...prompt);
    this.#wordsLeft = request.ignoreEos ? Infinity : 2 + (this.#salt % 12);
  }

  drop(): GenerateEvent[] {
    return this.#finish("dropped");
  }

  #finish(reason: "stop" | "length" | "dropped"): GenerateEvent[] {
    this.finished = true;
    this.hasEnded = reason !== "dropped";
    const isItself = reason === "stop" && this.#bytes.length === 0 && this.#wordsLeft === 0;
    const outputs = isItself && this.#request.head !== undefined ? { outputs: rawOutputs(this.#text) } : {};
    return [{ type: "finish", index: this.#index, reason, completionTokens: this.count, ...outputs }];
  }

  step(): GenerateEvent[] {
    if (this.count >= this.#limit) return this.#finish("length");
    if (this.#bytes.length === 0) {
      if (this.#wordsLeft === 0) return this.#finish("stop");
      this.#bytes = [...encoder.encode(words[mix(this.#salt, this.#wordsLeft, this.count) % words.length])];
      this.#wordsLeft -= 1;
    }
    const id = this.#bytes.shift()!;
    this.count += 1;
    this.#text += this.#decoder.decode(Uint8Array.of(id), { stream: true });
    const found = this.#request.stop.map((stop) => this.#text.indexOf(stop)).filter((place) => place >= 0);
    const end = found.length > 0 ? Math.min(...found) : this.count >= this.#limit ? this.#text.length : this.#text.length - this.#held();
    const text = this.#text.slice(this.#sent, Math.max(this.#sent, end));
    this.#sent += text.length;
    const delta: GenerateEvent = {
      type: "delta",
      index: this.#index,
      text,
      tokenIds: [id],
      ...(this.#request.logprobs === undefined ? {} : { logprobs: [scored(id, this.#request.logprobs)] }),
      ...(this.#request.sumLogprobs === true ? { logprobSum: -((this.#salt + this.count) % 7) } : {}),
    };
    if (found.length > 0) return [delta, ...this.#finish("stop")];
    if (this.#bytes.length === 0 && this.#wordsLeft === 0) {
      const rest = this.#text.slice(this.#sent);
      this.#sent = this.#text.length;
      return [
        delta,
        ...(rest === "" ? [] : [{ type: "delta" as const, index: this.#index, text: rest, tokenIds: [] }]),
        ...this.#finish("stop"),
      ];
    }
    return this.count >= this.#limit ? [delta, ...this.#finish("length")] : [delta];
  }

  /** Characters at the end that may be the beginning of a stop string. */
  #held(): number {
    let held = 0;
    for (const stop of this.#request.stop) {
      for (let length = Math.min(stop.length - 1, this.#text.length); length > held; length--) {
        if (this.#text.endsWith(stop.slice(0, length))) held = length;
      }
    }
    return held;
  }
}
