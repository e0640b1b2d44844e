/** @file What the server and the compute worker tell each other: plain data, which V8 serialises. */

import type { ErrorCode } from "../../errors/registry.ts";
import type { EngineLoopOptions } from "../scheduling/engine-loop.ts";
import type { ModelOptions } from "../loading/model.ts";
import type { GenerateEvent, GenerateRequest, LoopStats, ModelInfo, Prompt } from "../contract/request.ts";
import type { ScoreRequest, ScoreResult } from "../contract/score-request.ts";

export interface WorkerSetup {
  models: Omit<ModelOptions, "log">[];
  loop: EngineLoopOptions;
}

export type ToWorker =
  /** Comes first, once. */
  | { type: "start"; setup: WorkerSetup }
  | { type: "generate"; id: number; request: GenerateRequest }
  | { type: "score"; id: number; request: ScoreRequest }
  | { type: "cancel"; id: number }
  /** The reader of a generation took about this many bytes of its events. */
  | { type: "taken"; id: number; bytes: number }
  | { type: "drop"; id: number; indexes: number[] }
  | { type: "proceed"; id: number; tokens: number; settled: number[] }
  | { type: "tokenize"; id: number; model: string; prompt: Prompt }
  | { type: "close" };

export type FromWorker =
  | { type: "log"; line: string }
  | { type: "ready"; models: ModelInfo[] }
  /** Comes every second. */
  | { type: "memory"; residentBytes: number }
  | { type: "startFailed"; error: WireError }
  /** All that one turn of the engine gave, for all requests, and the counters after it. */
  | {
      type: "turn";
      events: { id: number; event: GenerateEvent }[];
      scores: { id: number; result: ScoreResult }[];
      failures: { id: number; error: WireError }[];
      stats: LoopStats;
    }
  | { type: "tokens"; id: number; ids: number[] }
  | { type: "tokenizeFailed"; id: number; error: WireError };

/** An error as it crosses processes; `code` is undefined for one that nobody raised on purpose. */
export interface WireError {
  code: ErrorCode | undefined;
  message: string;
  param: string | undefined;
  retryAfterSeconds: number | undefined;
  stack: string | undefined;
}
