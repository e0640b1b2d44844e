/**
 * @file What is asked of the engine and what it answers: plain data that crosses to the compute worker by structured
 * clone.
 */

import type { Message } from "../../text/conversation/message.ts";
import type { BonsaiError } from "../../errors/bonsai-error.ts";
import type { EnsembleDescription, RewardDescription } from "./reward-description.ts";
import type { ScoreRequest, ScoreResult } from "./score-request.ts";

export type Prompt =
  /** Rendered with the model's own chat template, with a generation prompt. */
  | { kind: "messages"; messages: readonly Message[] }
  /** Tokenised as it is, with the tokenizer's own special tokens. */
  | { kind: "text"; text: string }
  | { kind: "tokens"; ids: number[] };

/**
 * How a token is drawn. Order: penalties and bias, temperature, top_k, top_p, min_p (as in transformers' logits
 * warpers).
 */
export interface SamplingParams {
  /** 0 is greedy. */
  temperature: number;
  /** Keep the smallest set of most likely tokens whose mass reaches this; 1 keeps all. */
  topP: number;
  /** Keep this many most likely tokens; 0 keeps all. */
  topK: number;
  /** Keep tokens at least this fraction as likely as the most likely one; 0 keeps all. */
  minP: number;
  /** OpenAI: subtracted once from the logit of each token that the answer already has. */
  presencePenalty: number;
  /** OpenAI: subtracted times the number of occurrences in the answer. */
  frequencyPenalty: number;
  /**
   * CTRL (Keskar et al. 2019, section 4.1): divides positive and multiplies negative logits of tokens in prompt or
   * answer; 1 is off.
   */
  repetitionPenalty: number;
  /** Added to the logit of each token id, -100 to 100. */
  logitBias: [tokenId: number, bias: number][];
}

export interface GenerateRequest {
  model: string;
  prompt: Prompt;
  /** Sequences sampled in parallel from the one prompt, at least 1. */
  n: number;
  /** Most tokens of each answer; undefined: whatever the context leaves. */
  maxTokens: number | undefined;
  sampling: SamplingParams;
  /** Integer in [0, 2^53): fixes every draw. Sequence i draws by `candidateSeed(seed, i)`. */
  seed: number;
  /** An answer ends before the first occurrence of any of these. */
  stop: string[];
  /** Go on past the end-of-sequence token, for benchmarks. */
  ignoreEos: boolean;
  /** Undefined: no log-probabilities. k: that of each sampled token and of the k most likely ones (0 to 20). */
  logprobs: number | undefined;
  /** Also give the prompt's tokens (with log-probabilities when asked for), as `echo` of /v1/completions wants. */
  echo: boolean;
  /** Deltas carry `logprobSum`, whatever `logprobs` says. Costs whole rows of logits where the temperature is not 1. */
  sumLogprobs?: boolean | undefined;
  /**
   * Each answer is one of these strings, spelled in the tokens that the tokenizer makes of it alone; undefined leaves
   * answers free.
   */
  choices?: readonly string[] | undefined;
  /**
   * A sequence whose numbers are none ends alone with the reason "failed", and the request with it only when it was the
   * last one that had not.
   */
  failAlone?: boolean | undefined;
  /**
   * Id of a reward model over the hidden states of the request's model: what it makes of each answer that ends by
   * itself costs nothing, and comes with its `finish`.
   */
  head?: string | undefined;
  /** How its sequences wait for `Generating.proceed`; undefined: not at all. */
  pacing?: Pacing | undefined;
}

/**
 * Where the sequences of a request wait for decisions about them, so that what is generated depends on no time. A
 * sequence that waits uses no row and keeps its memory.
 */
export interface Pacing {
  /** Most tokens that each sequence may have for now. */
  tokens: number;
  /**
   * Whether no sequence is more than one token ahead of another, and whether, once one has ended itself with L tokens,
   * the others wait at L + 1 until `proceed` has settled that end.
   */
  waitsForEnds: boolean;
}

export interface TokenLogprob {
  token: string;
  /** UTF-8 bytes of the token: a token can be part of a character. */
  bytes: number[];
  /** Natural log of the model's own probability, before temperature and truncation. */
  logprob: number;
  top: { token: string; bytes: number[]; logprob: number }[];
}

/** stop: end of sequence or a stop string; length: max_tokens or the context is used up. */
export type FinishReason = "stop" | "length";

/** dropped: `Generating.drop` was called; failed: as `GenerateRequest.failAlone` says. */
export type SequenceEnd = FinishReason | "dropped" | "failed";

export interface PromptToken {
  token: string;
  bytes: number[];
  /** Null for the first token, which nothing predicts. */
  logprob: number | null;
  top: { token: string; bytes: number[]; logprob: number }[];
}

/** What a request's stream carries, in order: one `start`, many `delta`, one `finish` per sequence, one `end`. */
export type GenerateEvent =
  | {
      type: "start";
      promptTokens: number;
      /** Prompt tokens that the prefix cache answered. */
      cachedTokens: number;
      /** With `echo`: the prompt's text and tokens. */
      echo?: { text: string; tokens: PromptToken[] | undefined } | undefined;
    }
  | {
      type: "delta";
      /** Which of the n sequences. */
      index: number;
      /** Whole characters only; may be empty when a token ends inside a character or a possible stop string. */
      text: string;
      /** Empty where the backend does not know them. */
      tokenIds: number[];
      /** Tokens that the delta stands for, where they are not as many as its ids; see `deltaTokens`. */
      tokenCount?: number | undefined;
      logprobs?: TokenLogprob[] | undefined;
      /**
       * The sum over the tokens, with `sumLogprobs`: natural log of the model's own probability, before temperature and
       * truncation.
       */
      logprobSum?: number | undefined;
    }
  | {
      type: "finish";
      index: number;
      reason: SequenceEnd;
      completionTokens: number;
      /** With `head`, of an answer that the model ended itself: the reward model's raw outputs. */
      outputs?: number[] | undefined;
    }
  | { type: "end"; timings: RequestTimings };

export type DeltaEvent = Extract<GenerateEvent, { type: "delta" }>;

/** How many tokens a delta stands for: any number, an estimate where the backend's `exactCounts` is false. */
export const deltaTokens = ({ tokenIds, tokenCount }: Pick<DeltaEvent, "tokenIds" | "tokenCount">): number => tokenCount ?? tokenIds.length;

/** The events of a request, and the way to end some of its sequences before the others. */
export interface Generating extends AsyncIterable<GenerateEvent> {
  /**
   * Ends sequences that still run, without the text that was held back: their places are free before the next step, and
   * the others do not change by a bit. Sequences that have ended are left alone. Each is announced by a `finish` with
   * the reason "dropped", after `start` if that has not come.
   */
  drop(indexes: readonly number[]): void;
  /**
   * Lets the sequences of a request that has a `pacing` go on, until they have so many tokens.
   * @param settled sequences whose ends the others need not wait for
   */
  proceed(tokens: number, settled: readonly number[]): void;
}

/** Milliseconds. */
export interface RequestTimings {
  queueMs: number;
  prefillMs: number;
  decodeMs: number;
}

export interface ModelInfo {
  id: string;
  kind: "policy" | "reward";
  /** Name of the base model, for tuned ones. */
  base: string | undefined;
  /** Seconds since the epoch, of the model's file. */
  created: number;
  contextLength: number;
  vocabSize: number;
  quantization: string;
  device: string;
  hasChatTemplate: boolean;
  /** The reward model that the folder of a policy, or of its base, names for Best-of-N; it may not be served. */
  rewardModel?: string | undefined;
  /** Hash of weights, quantisation and program version: answers can change only when it does. */
  fingerprint: string;
  /** Present for a reward model that is no ensemble. */
  reward?: RewardDescription | undefined;
  /** Present for an ensemble of reward models. */
  ensemble?: EnsembleDescription | undefined;
}

/** The counters of scoring among those of `EngineStats`. */
export interface ScoringStats {
  /** Conversations that reward models have scored. */
  scoredInputs: number;
  scoredTokens: number;
  /** Those of the tokens that other inputs or earlier requests had computed. */
  scoredCachedTokens: number;
  scoringRuns: number;
  scoringSeconds: number;
  /** Conversations that are scored or wait to be. */
  scoringInputs: number;
}

/** What a server knows of its compute workers. */
export interface WorkerStats {
  workerRestarts: number;
  /** Resident memory of the processes that compute, a second old at most. */
  workerResidentBytes: number;
  /** Files and folders of models that have changed on disk since they were loaded. */
  changedModelSources: number;
}

/** The counters and gauges that the engine's loop keeps. */
export type LoopStats = Omit<EngineStats, keyof WorkerStats>;

/**
 * A snapshot of the engine's counters and gauges. Counters only grow, and begin again when the compute worker is
 * replaced.
 */
export interface EngineStats extends ScoringStats, WorkerStats {
  runningSequences: number;
  waitingSequences: number;
  waitingRequests: number;
  kvTokensReserved: number;
  kvTokensCapacity: number;
  prefixCacheBytes: number;
  prefixCacheHitTokens: number;
  prefixCacheQueryTokens: number;
  promptTokens: number;
  generatedTokens: number;
  decodeSteps: number;
  /** Sum over decode steps of the rows in each: divided by decodeSteps, the mean batch size. */
  decodeRows: number;
  prefillChunks: number;
  decodeSeconds: number;
  prefillSeconds: number;
}

/**
 * What the answers of a backend promise. Whoever depends on a promise asks for it, and does without where it is not
 * given.
 */
export interface Capabilities {
  /** The same request with the same seed gives the same bytes, whatever runs beside it. */
  exactSeeds: boolean;
  /** Deltas carry the ids of their tokens. */
  tokenIds: boolean;
  /** The token counts of deltas add up to those of the answer; otherwise they are estimates until its `finish`. */
  exactCounts: boolean;
  /** Single sequences of a request can be dropped, which frees what they hold, and wait for each other (`Pacing`). */
  drop: boolean;
}

export interface Backend {
  /** May be replaced by another list, never changed in place. */
  readonly models: readonly ModelInfo[];
  readonly capabilities: Capabilities;
  /** Why no request is taken now, with the time to wait; undefined while requests are taken. */
  readonly unavailable: BonsaiError | undefined;
  /** Resolves to the reason when requests will never be taken again; absent where that cannot be. */
  readonly lost?: Promise<BonsaiError>;
  /**
   * Runs a request. Admission is atomic: the memory of all n sequences is reserved at once, or the first `next()`
   * rejects with `overloaded` (retry later), `request_too_large` or `context_length_exceeded` (never fits).
   * Aborting the signal, or leaving the loop, frees the rows before the next step. Once the signal has aborted, it
   * rejects with the reason where that is a BonsaiError, else with `cancelled`.
   * A reader that takes nothing pauses its request, which keeps its memory and uses no row.
   */
  generate(request: GenerateRequest, signal?: AbortSignal): Generating;
  /**
   * Scores conversations by a reward model; absent where there are none. Rejects as `generate` does, and with
   * `context_length_exceeded` for an input that the model cannot read whole where the request does not let it be cut.
   */
  score?(request: ScoreRequest, signal?: AbortSignal): Promise<ScoreResult>;
  /** Token ids of a prompt, as `generate` would see them; absent where they are not known. */
  tokenize?(model: string, prompt: Prompt): Promise<number[]>;
  stats(): EngineStats;
  /** Resolves when all that it holds is free. Running requests reject with `draining`. */
  close(): Promise<void>;
}

/** A model with the promises of the backend that runs it. */
export interface ServedModel extends ModelInfo {
  capabilities: Capabilities;
}

/** What the server holds: all backends as one, whose methods find the backend of a request's model. */
export interface Engine extends Required<Omit<Backend, "capabilities" | "models">> {
  readonly models: readonly ServedModel[];
}
