/** @file What runs a Best-of-N request: the engine, a reward model, a judge, each behind the one function that is needed of it. */

import type { GenerateRequest, Generating } from "../engine/contract/request.ts";
import type { Judges } from "./judging.ts";
import type { TokenStage } from "./pruning/schedule.ts";

/** What a request has at hand. */
export interface BestOfResources {
  generate: (request: GenerateRequest, signal: AbortSignal) => Generating;
  /** For strategies that go by rewards. */
  reward?: Judges | undefined;
  /** For knockout: which of two answers is better, 1 the first. */
  compare?: ((first: string, second: string, signal: AbortSignal) => Promise<1 | 0 | -1 | undefined>) | undefined;
  /** When candidates are pruned, by the most tokens that an answer can come to. */
  stagesOf: (promptTokens: number) => readonly TokenStage[];
}
