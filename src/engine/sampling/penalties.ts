/**
 * @file What changes logits before a draw: presence, frequency and repetition penalties and logit_bias, over the tokens
 * a sequence already has.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { SamplingParams } from "../contract/request.ts";

const largestFloat32 = 3.4028234663852886e38;

/**
 * The tokens of one sequence, as its penalties count them. The prompt's set may be shared by all sequences of a
 * request.
 */
export class TokenHistory {
  readonly promptTokens: ReadonlySet<number>;
  /** Occurrences of each token in the answer so far. */
  readonly answerCounts: Map<number, number> = new Map();

  constructor(promptTokens: ReadonlySet<number>) {
    this.promptTokens = promptTokens;
  }

  /** Counts a token that the sequence has generated. */
  push(tokenId: number): void {
    this.answerCounts.set(tokenId, (this.answerCounts.get(tokenId) ?? 0) + 1);
  }
}

/**
 * Whether penalties or bias may change some logit, so that the largest logits alone do not tell which token is drawn.
 */
export function needsFullLogits(params: SamplingParams): boolean {
  return (
    params.presencePenalty !== 0 ||
    params.frequencyPenalty !== 0 ||
    params.repetitionPenalty !== 1 ||
    params.logitBias.some(([, bias]) => bias !== 0)
  );
}

/**
 * The logits that a row is drawn from: first the repetition penalty over prompt and answer (Keskar et al. 2019, section
 * 4.1: positive logits are divided, negative ones multiplied), then OpenAI's `logit - count * frequency - (count > 0) *
 * presence` over the answer, then the bias. Each token's result is rounded to float32 once, and stays finite if the
 * model's logit was.
 *
 * @param logits [V], left as it is.
 * @returns `logits` itself when nothing changes it, or a changed copy.
 * @throws BonsaiError `invalid_request` when a bias names a token outside the vocabulary.
 */
export function penalise(logits: Float32Array, params: SamplingParams, history: TokenHistory): Float32Array {
  if (!needsFullLogits(params)) return logits;
  const changed = new Map<number, number>();
  const current = (tokenId: number): number => changed.get(tokenId) ?? logits[tokenId]!;

  if (params.repetitionPenalty !== 1) {
    const repeat = (tokenId: number): void => {
      const logit = logits[tokenId];
      if (logit !== undefined) changed.set(tokenId, logit > 0 ? logit / params.repetitionPenalty : logit * params.repetitionPenalty);
    };
    for (const tokenId of history.promptTokens) repeat(tokenId);
    for (const tokenId of history.answerCounts.keys()) repeat(tokenId);
  }
  if (params.presencePenalty !== 0 || params.frequencyPenalty !== 0) {
    for (const [tokenId, count] of history.answerCounts) {
      changed.set(tokenId, current(tokenId) - count * params.frequencyPenalty - params.presencePenalty);
    }
  }
  for (const [tokenId, bias] of params.logitBias) {
    if (!(tokenId >= 0 && tokenId < logits.length && Number.isInteger(tokenId))) {
      throw new BonsaiError("invalid_request", `logit_bias names token ${tokenId}; the model's tokens are 0 to ${logits.length - 1}.`, {
        param: "logit_bias",
      });
    }
    changed.set(tokenId, current(tokenId) + bias);
  }

  const result = logits.slice();
  for (const [tokenId, logit] of changed) {
    // A masked token (-Infinity) stays masked; NaN stays for the sampler to report.
    result[tokenId] = logits[tokenId] === -Infinity ? -Infinity : Math.max(-largestFloat32, Math.min(largestFloat32, logit));
  }
  return result;
}
