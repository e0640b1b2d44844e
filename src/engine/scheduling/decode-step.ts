/** @file One decode step of many rows: feeds each its last token, draws the next one, and tells its request. */

import type { DecodeRow, DecodeStep, DecoderDevice } from "../../runtime/device.ts";
import { describeLogprob, drawTokens, wantsLogits, type Drawn } from "../sampling/draw.ts";
import { inverseTemperature } from "../sampling/sampler.ts";
import type { Generation } from "./generation.ts";
import type { Sequence } from "./sequence.ts";

/** A sequence that decodes. */
export interface RunningRow {
  generation: Generation;
  sequence: Sequence;
}

export interface SteppedRow extends RunningRow {
  /** The next token, or why none can be drawn. */
  token: Drawn | Error;
  /** The state of the token that was fed, [H], where the request has a head. */
  hidden(): Float32Array;
}

/** Rows that step in one call of their device: a base and its adapters step together. */
export function groupRows(rows: readonly RunningRow[]): Map<DecoderDevice, RunningRow[]> {
  const groups = new Map<DecoderDevice, RunningRow[]>();
  for (const row of rows) {
    const { device } = row.generation.model;
    const group = groups.get(device);
    if (group === undefined) groups.set(device, [row]);
    else group.push(row);
  }
  return groups;
}

export async function stepRows(device: DecoderDevice, rows: readonly RunningRow[]): Promise<SteppedRow[]> {
  const inputs = rows.map(({ generation: { request, grammar }, sequence }) => ({
    request,
    history: sequence.history,
    uniform: sequence.draw(),
    mask: grammar && (sequence.constraint ??= grammar.open()).mask(),
  }));
  const steps = rows.map(({ generation, sequence }, at): DecodeStep => {
    const { request, head } = generation;
    return {
      row: sequence.row as DecodeRow,
      tokenId: sequence.nextToken,
      inverseTemperature: inverseTemperature(request.sampling),
      wantsLogits: wantsLogits(request, inputs[at]!.uniform, device.config.vocabSize),
      wantsHidden: head !== undefined,
    };
  });
  const result = await device.decode(steps);
  const drawn = drawTokens(inputs, result);
  return rows.map((row, at) => ({ ...row, token: drawn[at]!, hidden: () => result.hidden(at) }));
}

/** Adds a token to its sequence, and sends the text that it makes certain. */
export function emitToken({ generation, sequence }: RunningRow, token: Drawn): void {
  const { request, model } = generation;
  const text = sequence.push(token.tokenId);
  const logprob = request.logprobs === undefined ? undefined : describeLogprob(model.tokenizer, token);
  const logprobs = logprob && [logprob];
  const logprobSum = request.sumLogprobs === true ? token.logprob?.own : undefined;
  generation.emit({ type: "delta", index: sequence.index, text, tokenIds: [token.tokenId], logprobs, logprobSum });
}
