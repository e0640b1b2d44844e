/**
 * @file From a step's logits to the next token of each row, looking at whole rows of logits only for draws that need
 * them.
 */

import { topCandidates } from "../../architectures/decoder/decoder-head.ts";
import { alwaysWanted, neverWanted, type LogitsWish, type StepResult, type TopLogits } from "../../runtime/device.ts";
import type { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import { allowOnly } from "../constraints/token-mask.ts";
import type { GenerateRequest, SamplingParams, TokenLogprob } from "../contract/request.ts";
import { inverseTemperature, isGreedy, sampleFromFull, sampleFromTop } from "./sampler.ts";
import { logprobOfLogit, logprobsFromFull, logprobsFromTop, logSumExp, type TokenIdLogprob } from "./token-logprobs.ts";
import { needsFullLogits, type TokenHistory } from "./penalties.ts";

export interface DrawInput {
  request: GenerateRequest;
  history: TokenHistory;
  /** In [0, 1). */
  uniform: number;
  /** The tokens that the request's grammar allows (token-mask.ts); undefined allows all. */
  mask?: Uint32Array | undefined;
}

export interface Drawn {
  tokenId: number;
  /** Present with the request's `logprobs` or `sumLogprobs`: the token's own, and those of the most likely ones. */
  logprob: { own: number; top: TokenIdLogprob[] } | undefined;
}

/** One token for each row of the step, in order; the error in place of a token for a row that none can be drawn for. */
export function drawTokens(inputs: readonly DrawInput[], result: StepResult): (Drawn | Error)[] {
  return inputs.map((input, index) =>
    attempt(() => {
      const top = result.rows[index] as TopLogits;
      return drawFromTop(input, top) ?? drawFromFull(input, result.logits(index), top.normaliser);
    }),
  );
}

/**
 * When a draw looks beyond the most likely tokens. It must say so wherever `sampleFromTop` may not decide, and says so
 * rarely.
 * @param uniform of the draw
 */
export function wantsLogits(request: GenerateRequest, uniform: number, vocabSize: number): LogitsWish {
  const { sampling } = request;
  const logprobs = logprobsOf(request);
  const temperatureHides = logprobs !== undefined && inverseTemperature(sampling) !== 1;
  if (request.choices !== undefined || needsFullLogits(sampling) || temperatureHides) return alwaysWanted;
  const { topK, topP, minP } = sampling;
  if (isGreedy(sampling) || (topK > 0 && topK <= Math.min(topCandidates, vocabSize))) return neverWanted;
  // Beyond the known tokens the sum of the first top_k is known only roughly, and with it everything that follows.
  if (topK > 0) return alwaysWanted;
  // Once the tokens that min_p leaves are known, so is everything; else top_p must find its end, or the draw its token.
  if (minP > 0) return { share: alwaysWanted.share, weight: minP };
  return { share: topP < 1 ? topP : uniform, weight: 0 };
}

/**
 * How many of the most likely tokens' log-probabilities are wanted; undefined for none, and not the token's own either.
 */
function logprobsOf({ logprobs, sumLogprobs }: GenerateRequest): number | undefined {
  return logprobs ?? (sumLogprobs === true ? 0 : undefined);
}

/** One row's logits that are no numbers must not end the requests of the other rows. */
function attempt<T>(draw: () => T): T | Error {
  try {
    return draw();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function drawFromTop({ request, uniform, mask }: DrawInput, top: TopLogits): Drawn | undefined {
  const { sampling } = request;
  const logprobs = logprobsOf(request);
  // The normaliser is that of the temperature; log-probabilities are those of temperature 1.
  if (mask !== undefined || needsFullLogits(sampling) || (logprobs !== undefined && inverseTemperature(sampling) !== 1)) return undefined;
  const sampled = sampleFromTop(top, sampling, uniform);
  if (sampled === undefined || logprobs === undefined) return sampled && { tokenId: sampled.tokenId, logprob: undefined };
  const rowLogSumExp = (top.values[0] as number) + Math.log(top.normaliser);
  const own = logprobOfLogit(sampled.logit, rowLogSumExp);
  return { tokenId: sampled.tokenId, logprob: { own, top: logprobsFromTop(top, rowLogSumExp, logprobs) } };
}

function drawFromFull({ request, history, uniform, mask }: DrawInput, logits: Float32Array, normaliser: number): Drawn {
  const { sampling } = request;
  const logprobs = logprobsOf(request);
  const { tokenId, logit } =
    mask === undefined
      ? sampleFromFull(logits, sampling, history, uniform, usableNormaliser(sampling, normaliser))
      : sampleFromFull(allowOnly(logits, mask), sampling, history, uniform);
  if (logprobs === undefined) return { tokenId, logprob: undefined };
  const rowLogSumExp = logSumExp(logits);
  return { tokenId, logprob: { own: logprobOfLogit(logit, rowLogSumExp), top: logprobsFromFull(logits, rowLogSumExp, logprobs) } };
}

/** Penalties change the logits, and with them their sum. */
function usableNormaliser(sampling: SamplingParams, normaliser: number): number | undefined {
  return needsFullLogits(sampling) ? undefined : normaliser;
}

/** As the wire wants it: tokens as text and bytes. */
export function describeLogprob(tokenizer: Tokenizer, drawn: Drawn): TokenLogprob | undefined {
  if (drawn.logprob === undefined) return undefined;
  const top = drawn.logprob.top.map(({ tokenId, logprob }) => ({ ...describeToken(tokenizer, tokenId), logprob }));
  return { ...describeToken(tokenizer, drawn.tokenId), logprob: drawn.logprob.own, top };
}

export function describeToken(tokenizer: Tokenizer, tokenId: number): { token: string; bytes: number[] } {
  const bytes = tokenizer.tokenBytes(tokenId);
  return { token: Buffer.from(bytes).toString("utf8"), bytes: [...bytes] };
}
