/**
 * @file The tiny BERTs that PyTorch has run (test/oracle/bert.py) and what it computed; any BERT as a session over its
 * serving graph.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readBertConfig, type BertConfig } from "../../src/architectures/encoder/bert-config.ts";
import { buildBertGraph, type BertOutput } from "../../src/architectures/encoder/bert-graph.ts";
import { encoderBatch, type EncoderRow } from "../../src/architectures/encoder/bert-inputs.ts";
import { locateBertWeights } from "../../src/architectures/encoder/bert-weights.ts";
import type { LinearScheme } from "../../src/architectures/quantization/linear.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { ExternalDataWriter } from "../../src/onnx/external-data.ts";
import { writeModel } from "../../src/onnx/write.ts";
import { loadSession, tensor, type Session } from "../../src/runtime/session.ts";

export const goldenBerts = ["classifier", "tanh"] as const;
export type GoldenBert = (typeof goldenBerts)[number];

export interface GoldenPair {
  first: string;
  second: string;
  /** Tokens at most; null is no limit. */
  length: number | null;
  ids: number[];
  types: number[];
}

export interface BertGolden {
  pairs: GoldenPair[];
  /** Each row computed alone: hidden [places][H], its mean [H], logits [labels]. */
  cases: (EncoderRow & { hidden: number[][]; mean: number[]; logits: number[] })[];
  /** The loss over the rows of `cases`, and digests of its gradients by name. */
  training: { weights: number[]; loss: number; gradients: Record<string, number[]> };
}

const oracle = new URL("../oracle/bert/", import.meta.url);

export function bertPath(name: GoldenBert): string {
  return fileURLToPath(new URL(name, oracle));
}

export function bertGolden(name: GoldenBert): BertGolden {
  return JSON.parse(readFileSync(new URL(`${name}/golden.json`, oracle), "utf8")) as BertGolden;
}

/** Pairs by the tokenizer of all-MiniLM-L6-v2. */
export function miniLMPairs(): GoldenPair[] {
  return (JSON.parse(readFileSync(new URL("minilm.json", oracle), "utf8")) as { pairs: GoldenPair[] }).pairs;
}

export interface BertSession {
  config: BertConfig;
  /** Flat outputs by name, of a batch of these rows at a length; default that of the longest. */
  run: (rows: readonly EncoderRow[], length?: number) => Promise<Record<string, Float32Array>>;
  dispose: () => Promise<void>;
}

/** @param scratch a folder for the graph and its weights */
export async function openBert(
  path: string,
  scratch: string,
  outputs: readonly BertOutput[],
  options: { scheme?: LinearScheme; threads?: number } = {},
): Promise<BertSession> {
  const { scheme = "fp32", threads = 1 } = options;
  const file = openModel(path);
  const config = readBertConfig(file.config, file.path);
  const weights = locateBertWeights(config, file.weights, file.path, outputs.includes("logits") ? "classifier" : "encoder");
  const data = new ExternalDataWriter(join(scratch, `${scheme}.bin`));
  const graph = join(scratch, `${scheme}.onnx`);
  writeFileSync(graph, writeModel(buildBertGraph({ config, weights, source: file.weights, data, scheme }, outputs), data.fileName));
  data.close();
  file.weights.close();
  const session: Session = await loadSession(graph, { threads, spinning: false });
  return {
    config,
    dispose: async () => session.dispose(),
    run: async (rows, length) => {
      const batch = encoderBatch(rows, config, length);
      const shape = [batch.rows, batch.length];
      const feeds = {
        ids: tensor("int32", batch.ids, shape),
        types: tensor("int32", batch.types, shape),
        mask: tensor("float32", batch.mask, shape),
      };
      const results = await session.run(feeds, Object.fromEntries(outputs.map((output) => [output, null])));
      return Object.fromEntries(Object.entries(results).map(([name, { data: values }]) => [name, values as Float32Array]));
    },
  };
}
