/** @file An encoder with a classifier on the CPU: rows of one length in a run. */

import type { BertConfig } from "../../architectures/encoder/bert-config.ts";
import { encoderBatch, type EncoderRow } from "../../architectures/encoder/bert-inputs.ts";
import type { EncoderDevice } from "../device.ts";
import { loadSession, tensor, type Session, type SessionOptions } from "../session.ts";

export class CpuEncoder implements EncoderDevice {
  readonly #config: BertConfig;
  readonly #session: Session;

  /** @param graph path of the encoder's graph, whose output is `logits` */
  static async load(graph: string, config: BertConfig, options: SessionOptions): Promise<CpuEncoder> {
    return new CpuEncoder(config, await loadSession(graph, options));
  }

  private constructor(config: BertConfig, session: Session) {
    this.#config = config;
    this.#session = session;
  }

  async classify(rows: readonly EncoderRow[]): Promise<number[][]> {
    const { ids, types, mask, rows: count, length } = encoderBatch(rows, this.#config);
    const shape = [count, length];
    const feeds = { ids: tensor("int32", ids, shape), types: tensor("int32", types, shape), mask: tensor("float32", mask, shape) };
    const results = await this.#session.run(feeds, { logits: null });
    const logits = results["logits"]?.data as Float32Array;
    const outputs = this.#config.labels.length;
    return rows.map((_, row) => Array.from(logits.subarray(row * outputs, (row + 1) * outputs)));
  }

  async dispose(): Promise<void> {
    await this.#session.dispose();
  }
}
