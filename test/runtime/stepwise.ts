/**
 * @file Drives a device by hand: a prompt in chunks, then rows that are fed given tokens, with every logit that comes
 * of it.
 */

import { alwaysWanted, type DecodeRow, type DecoderDevice, type PromptCache } from "../../src/runtime/device.ts";

/** Fills a prompt chunk by chunk; the logits after each of its tokens. */
export async function fill(
  device: DecoderDevice,
  ids: readonly number[],
  adapter?: number,
): Promise<{ prompt: PromptCache; logits: Float32Array[] }> {
  const { vocabSize } = device.config;
  const prompt = device.openPrompt(ids.length, adapter);
  const logits: Float32Array[] = [];
  for (let start = 0; start < ids.length; start += device.chunkTokens) {
    const chunk = ids.slice(start, start + device.chunkTokens);
    const computed = (await device.prefill(prompt, chunk, true))!;
    for (let at = 0; at < chunk.length; at++) logits.push(computed.slice(at * vocabSize, (at + 1) * vocabSize));
  }
  return { prompt, logits };
}

/** Feeds the rows one token each; all logits that follow, [rows][V]. */
export async function step(device: DecoderDevice, rows: readonly DecodeRow[], tokenIds: readonly number[]): Promise<Float32Array[]> {
  const result = await device.decode(
    rows.map((row, at) => ({ row, tokenId: tokenIds[at]!, inverseTemperature: 1, wantsLogits: alwaysWanted })),
  );
  return rows.map((_, at) => result.logits(at).slice());
}

/**
 * The logits after each token of `ids`, the first `prefilled` of them as a prompt and the others one at a time, by
 * `count` rows that share the prompt: [ids.length][V] of each row.
 */
export async function logitsBySteps(
  device: DecoderDevice,
  ids: readonly number[],
  prefilled: number,
  count = 1,
  adapter?: number,
): Promise<Float32Array[][]> {
  const { prompt, logits } = await fill(device, ids.slice(0, prefilled), adapter);
  const rows = device.openRows(prompt, count, ids.length - prefilled);
  const ofRows = rows.map(() => [...logits]);
  for (const id of ids.slice(prefilled)) {
    const next = await step(
      device,
      rows,
      rows.map(() => id),
    );
    next.forEach((row, at) => ofRows[at]!.push(row));
  }
  for (const row of rows) device.closeRow(row);
  return ofRows;
}
