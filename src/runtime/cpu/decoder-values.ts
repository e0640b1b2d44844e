/**
 * @file The inputs and outputs of the decoder's graph beside caches, masks and adapters: what its head computes for
 * each row, and what a run returns.
 */

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { neverWanted, type DecodeStep, type TopLogits } from "../device.ts";
import { int64Tensor, tensor, type Tensor } from "../session.ts";
import type { CacheArray, KvRows } from "./kv-segment.ts";

/** What a run returned, by output. */
type Outputs = Readonly<Record<string, Tensor>>;

export type HeadRow = Pick<DecodeStep, "inverseTemperature" | "wantsLogits">;

/** A row that the head computes and nobody reads: it computes at least one. */
export const unreadRow: HeadRow = { inverseTemperature: 1, wantsLogits: neverWanted };

/** Has the head computed for the first rows of a run. */
export function headInputs(rows: readonly HeadRow[]): Record<string, Tensor> {
  const count = rows.length;
  const column = (value: (row: HeadRow) => number): Tensor => tensor("float32", Float32Array.from(rows, value), [count, 1]);
  return {
    head_rows: int64Tensor([...rows.keys()], [count]),
    inverse_temperature: column(({ inverseTemperature }) => inverseTemperature),
    wanted_share: column(({ wantsLogits }) => wantsLogits.share),
    wanted_weight: column(({ wantsLogits }) => wantsLogits.weight),
  };
}

/** What a decode step found for one row. */
export interface RowResult {
  top: TopLogits;
  logits: Float32Array | undefined;
  hidden: Float32Array | undefined;
}

/** The outputs of a decode step. */
export const stepOutputs = { top_logits: null, top_ids: null, mass: null, all_wanted: null, logits: null };

/** @param outputs of `stepOutputs`, and `hidden` where it was wanted @param count rows of the step */
export function rowResults(outputs: Outputs, count: number, { vocabSize, hiddenSize }: DecoderConfig): RowResult[] {
  const values = floats(outputs["top_logits"]);
  const topIds = Int32Array.from(outputs["top_ids"]?.data as BigInt64Array, Number);
  const mass = floats(outputs["mass"]);
  const allWanted = outputs["all_wanted"]?.data as Uint8Array;
  const logits = floats(outputs["logits"]);
  const hidden = outputs["hidden"] && floats(outputs["hidden"]);
  const k = values.length / count;
  // The logits of the rows that wanted them, one row after the other.
  let next = 0;
  return Array.from({ length: count }, (_, at) => {
    const row = allWanted[at] === 1 ? next++ : undefined;
    return {
      top: { values: values.subarray(at * k, (at + 1) * k), ids: topIds.subarray(at * k, (at + 1) * k), normaliser: mass[at] as number },
      logits: row === undefined ? undefined : logits.subarray(row * vocabSize, (row + 1) * vocabSize),
      hidden: hidden?.subarray(at * hiddenSize, (at + 1) * hiddenSize),
    };
  });
}

export function floats(value: Tensor | undefined): Float32Array<ArrayBuffer> {
  return value?.data as Float32Array<ArrayBuffer>;
}

/** The outputs that hold the keys and values of new tokens. */
export const kvOutputs = { key_rows: null, value_rows: null };

export function kvRows(outputs: Outputs): KvRows {
  return { keys: outputs["key_rows"]?.data as CacheArray, values: outputs["value_rows"]?.data as CacheArray };
}
