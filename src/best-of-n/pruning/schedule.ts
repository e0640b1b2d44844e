/**
 * @file Staged pruning of partial answers: at some lengths the candidates whose prefixes have the lowest rewards are
 * dropped.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";

/**
 * A stage as requests give it: when the answers have the part `at` of `max_tokens`, the part `keep` of the running
 * candidates goes on.
 */
export interface PruneStage {
  /** In (0, 1), ascending from stage to stage. */
  at: number;
  /** In (0, 1). */
  keep: number;
}

/** A stage in tokens. */
export interface TokenStage {
  /** Tokens of an answer when it is judged, at least 1, ascending from stage to stage. */
  tokens: number;
  keep: number;
}

/** @throws BonsaiError `invalid_request` naming the stage that does not come after the one before it */
export function checkStages(stages: readonly PruneStage[], param: string): void {
  const wrong = stages.findIndex(({ at }, place) => place > 0 && at <= stages[place - 1]!.at);
  if (wrong < 0) return;
  throw new BonsaiError(
    "invalid_request",
    `${param}[${wrong}].at must be more than that of the stage before it, ${stages[wrong - 1]!.at}.`,
    {
      param: `${param}[${wrong}].at`,
    },
  );
}

/**
 * The stages in tokens. Stages that fall on one length become one that keeps what both would.
 * @param maxTokens most tokens of an answer
 */
export function tokenStages(stages: readonly PruneStage[], maxTokens: number): TokenStage[] {
  const inTokens: TokenStage[] = [];
  for (const { at, keep } of stages) {
    const tokens = Math.max(1, Math.round(at * maxTokens));
    const last = inTokens.at(-1);
    if (last?.tokens === tokens) last.keep *= keep;
    else if (tokens < maxTokens) inTokens.push({ tokens, keep });
  }
  return inTokens;
}

/**
 * How many of the candidates that still run go on (Sun et al. 2024, "Fast Best-of-N decoding via speculative
 * rejection", arXiv 2410.20290, drops a part of them by the rewards of what they have so far). Those that have ended
 * are not among them, and are never dropped.
 *
 * @param finished candidates that have ended before the stage
 * @param returned answers that are wanted: so many always remain
 */
export function keptOfRunning(keep: number, running: number, finished: number, returned: number): number {
  return Math.min(running, Math.max(Math.ceil(keep * running), returned - finished));
}
