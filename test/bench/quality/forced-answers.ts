/**
 * @file Runs a device over given answers, token by token, and passes on the logits that predict each of their tokens.
 */

import { alwaysWanted, type DecodeRow, type DecoderDevice } from "../../../src/runtime/device.ts";

/** A prompt and the answer that is forced on the model. */
export interface Conversation {
  promptIds: readonly number[];
  answerIds: readonly number[];
}

/** Gets the logits [V] that predict answer token `at` of conversation `index`. They are valid during the call only. */
export type OnLogits = (index: number, at: number, logits: Float32Array) => void;

/** Prompt and answer through the prefill graph, chunk by chunk. */
export async function forceByPrefill(device: DecoderDevice, conversations: readonly Conversation[], onLogits: OnLogits): Promise<void> {
  const { vocabSize } = device.config;
  for (const [index, { promptIds, answerIds }] of conversations.entries()) {
    const ids = [...promptIds, ...answerIds].slice(0, -1);
    const prompt = device.openPrompt(ids.length);
    for (let start = 0; start < ids.length; start += device.chunkTokens) {
      const chunk = ids.slice(start, start + device.chunkTokens);
      const wanted = start + chunk.length >= promptIds.length;
      const logits = await device.prefill(prompt, chunk, wanted);
      if (logits === undefined) continue;
      for (let offset = 0; offset < chunk.length; offset++) {
        const at = start + offset - (promptIds.length - 1);
        if (at >= 0) onLogits(index, at, logits.subarray(offset * vocabSize, (offset + 1) * vocabSize));
      }
    }
    device.closePrompt(prompt);
  }
}

/**
 * As the engine serves: the prompt but its last token through the prefill graph, then one decode step for each token,
 * all conversations at once.
 */
export async function forceByDecoding(device: DecoderDevice, conversations: readonly Conversation[], onLogits: OnLogits): Promise<void> {
  const rows: { index: number; row: DecodeRow; fed: number[] }[] = [];
  for (const [index, { promptIds, answerIds }] of conversations.entries()) {
    const prefillIds = promptIds.slice(0, -1);
    const prompt = device.openPrompt(prefillIds.length);
    for (let start = 0; start < prefillIds.length; start += device.chunkTokens) {
      await device.prefill(prompt, prefillIds.slice(start, start + device.chunkTokens));
    }
    const [row] = device.openRows(prompt, 1, answerIds.length);
    rows.push({ index, row: row as DecodeRow, fed: [promptIds.at(-1) as number, ...answerIds.slice(0, -1)] });
  }
  let running = rows;
  for (let at = 0; running.length > 0; at++) {
    const steps = running.map(({ row, fed }) => ({ row, tokenId: fed[at] as number, inverseTemperature: 1, wantsLogits: alwaysWanted }));
    const result = await device.decode(steps);
    running.forEach(({ index }, position) => onLogits(index, at, result.logits(position)));
    const [going, done] = [running.filter(({ fed }) => at + 1 < fed.length), running.filter(({ fed }) => at + 1 >= fed.length)];
    for (const { row } of done) device.closeRow(row);
    running = going;
  }
}
