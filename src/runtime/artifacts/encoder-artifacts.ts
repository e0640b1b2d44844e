/** @file The graph and quantised weights of an encoder that scores, made once and kept on disk as a decoder's are. */

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BertConfig } from "../../architectures/encoder/bert-config.ts";
import { buildBertGraph } from "../../architectures/encoder/bert-graph.ts";
import { locateBertWeights } from "../../architectures/encoder/bert-weights.ts";
import type { LinearScheme } from "../../architectures/quantization/linear.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { ExternalDataWriter } from "../../onnx/external-data.ts";
import { writeModel } from "../../onnx/write.ts";
import { findOrMake, type CacheOptions } from "./prepared-files.ts";
import { formatVersion, type Artifacts } from "./decoder-artifacts.ts";

/** Finds or makes the artifacts of a BERT with a classifier. Throws `invalid_model_file` where a weight is missing. */
export async function prepareEncoderArtifacts(
  model: ModelFile,
  config: BertConfig,
  scheme: LinearScheme,
  options: CacheOptions,
): Promise<Artifacts> {
  const weights = locateBertWeights(config, model.weights, model.path, "classifier");
  const hash = createHash("sha256")
    .update(JSON.stringify([formatVersion, "encoder", model.contentHash, scheme]))
    .digest("hex");
  const folder = await findOrMake(hash, options, `${model.path} (${scheme})`, async (scratch) => {
    const data = new ExternalDataWriter(join(scratch, "weights.bin"));
    try {
      const graph = buildBertGraph({ config, weights, source: model.weights, data, scheme }, ["logits"]);
      writeFileSync(join(scratch, "encoder.onnx"), writeModel(graph, data.fileName));
    } finally {
      data.close();
    }
  });
  return { hash, graph: join(folder, "encoder.onnx") };
}
