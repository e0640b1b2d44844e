/** @file What runs models: the engine inside this process, or a server elsewhere. The router finds the backend of a model. */

import type { BonsaiError } from "../../errors/bonsai-error.ts";
import type { EngineStats, GenerateRequest, Generating, ModelInfo, Prompt } from "./request.ts";
import type { ScoreRequest, ScoreResult } from "./score-request.ts";

/** What the answers of a backend promise. Whoever depends on a promise asks for it, and does without where it is not given. */
export interface Capabilities {
  /** The same request with the same seed gives the same bytes, whatever runs beside it. */
  exactSeeds: boolean;
  /** Deltas carry the ids of their tokens. */
  tokenIds: boolean;
  /** The token counts of deltas add up to those of the answer; otherwise they are estimates until its `finish`. */
  exactCounts: boolean;
  /** Single sequences of a request can be dropped, which frees what they hold. */
  drop: boolean;
}

export interface Backend {
  /** May be replaced by another list, never changed in place. */
  readonly models: readonly ModelInfo[];
  readonly capabilities: Capabilities;
  /** Why no request is taken now, with the time to wait; undefined while requests are taken. */
  readonly unavailable: BonsaiError | undefined;
  /**
   * Runs a request. Admission is atomic: all n sequences are reserved at once, or the first `next()` rejects with
   * `overloaded` (retry later), `request_too_large` or `context_length_exceeded` (never fits).
   * Aborting the signal, or leaving the loop, frees the rows before the next step.
   * A reader that takes nothing pauses its request, which keeps its rows.
   */
  generate(request: GenerateRequest, signal?: AbortSignal): Generating;
  /**
   * Scores conversations by a reward model; absent where there are none. Rejects as `generate` does, and with `context_length_exceeded` for an
   * input that the model cannot read whole where the request does not let it be cut.
   */
  score?(request: ScoreRequest, signal?: AbortSignal): Promise<ScoreResult>;
  /** Token ids of a prompt, as `generate` would see them; absent where they are not known. */
  tokenize?(model: string, prompt: Prompt): Promise<number[]>;
  stats(): EngineStats;
  /** Resolves when all that it holds is free. Running requests reject with `draining`. */
  close(): Promise<void>;
}
