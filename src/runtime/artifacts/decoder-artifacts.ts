/**
 * @file The graph and quantised weights of a model, made once and kept on disk under the hash of what they were made
 * from.
 */

import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { buildDecoderGraph } from "../../architectures/decoder/decoder-graph.ts";
import { checkAdapter } from "../../architectures/decoder/adapters.ts";
import { linearsOf, locateDecoderWeights, type DecoderWeights } from "../../architectures/decoder/decoder-weights.ts";
import { isByteCache, type CacheType } from "../../architectures/decoder/cached-attention.ts";
import { storedType, type LinearScheme } from "../../architectures/quantization/linear.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import type { LoraAdapter } from "../../formats/peft-adapter.ts";
import { ExternalDataWriter } from "../../onnx/external-data.ts";
import { writeModel } from "../../onnx/write.ts";
import { findOrMake, type CacheOptions } from "./prepared-files.ts";
import { measuredKvScales } from "./measured-kv-scales.ts";
import { calibrate, smoothingFrom, type Calibration } from "./calibrate.ts";
import type { SessionOptions } from "../session.ts";

/** Part of every key: raise it when graphs or quantisation change. */
export const formatVersion = 18;

/** How the weights of linear layers, and keys and values, are stored. */
export interface QuantizationPlan {
  scheme: LinearScheme;
  cacheType: CacheType;
  /** Rows of 4-bit blocks are never multiplied alone. */
  neverAlone?: boolean | undefined;
}

export interface Artifacts {
  /** Path of the decoder's graph. */
  graph: string;
  /** Names model content, plan and format version, 64 hex digits. */
  hash: string;
}

export interface ArtifactOptions extends SessionOptions, CacheOptions {
  /** Token ids over which activations are measured. */
  calibration: () => readonly (readonly number[])[];
  /** Adapters that are served beside the base, and what their files are known by. */
  adapters?: readonly NamedAdapter[];
  /** For a model that scores texts and writes none: it has no output projection. */
  withoutHead?: boolean | undefined;
}

export interface NamedAdapter {
  adapter: LoraAdapter;
  /** Folder, for errors. */
  path: string;
  contentHash: string;
}

/**
 * Finds or makes the artifacts of a model. Throws `unsupported_model` when the file has nothing that the plan needs.
 */
export async function prepareArtifacts(
  model: ModelFile,
  config: DecoderConfig,
  plan: QuantizationPlan,
  options: ArtifactOptions,
): Promise<Artifacts> {
  const weights = locateDecoderWeights(config, model.weights, model.path);
  if (plan.scheme === "blocks4") requireBlocks4(model, weights);
  const adapters = options.adapters ?? [];
  for (const { adapter, path } of adapters) checkAdapter(adapter, weights, path);
  const hash = createHash("sha256")
    .update(
      JSON.stringify([
        formatVersion,
        model.contentHash,
        plan,
        options.withoutHead === true,
        ...adapters.map(({ contentHash }) => contentHash),
      ]),
    )
    .digest("hex");
  const description = `${model.path} (${plan.scheme}, ${plan.cacheType} cache)`;
  const folder = await findOrMake(hash, options, description, (scratch) => make(model, config, weights, plan, scratch, options));
  return { hash, graph: join(folder, "decoder.onnx") };
}

async function make(
  model: ModelFile,
  config: DecoderConfig,
  weights: DecoderWeights,
  plan: QuantizationPlan,
  folder: string,
  options: ArtifactOptions,
): Promise<void> {
  const base = { config, weights, source: model.weights };
  const adapters = (options.adapters ?? []).map(({ adapter }) => adapter);
  const { scheme, cacheType, neverAlone } = plan;
  const { withoutHead } = options;
  const data = new ExternalDataWriter(join(folder, "weights.bin"));
  try {
    const calibration = await calibrationFor(plan, { ...base, data, adapters }, folder, options);
    const linears = [...weights.layers.flatMap(linearsOf), ...(withoutHead === true ? [] : [weights.head])];
    const smoothing = calibration && scheme === "w8a8" ? smoothingFrom(calibration, linears, model.weights) : undefined;
    const kvScales = calibration && isByteCache(cacheType) ? measuredKvScales(calibration.attention) : undefined;
    const context = { ...base, data, scheme, neverAlone, smoothing };
    writeFileSync(
      join(folder, "decoder.onnx"),
      writeModel(buildDecoderGraph(context, { cacheType, kvScales, adapters, withoutHead }), data.fileName),
    );
  } finally {
    data.close();
  }
}

async function calibrationFor(
  plan: QuantizationPlan,
  base: Parameters<typeof calibrate>[0],
  folder: string,
  options: ArtifactOptions,
): Promise<Calibration | undefined> {
  if (plan.scheme !== "w8a8" && !isByteCache(plan.cacheType)) return undefined;
  // The measurement's 8-bit blocks stay in the file when the model is served in them, and are thrown away when not.
  if (plan.scheme === "blocks8") return calibrate(base, options.calibration(), folder, options);
  const data = new ExternalDataWriter(join(folder, "calibrate.bin"));
  try {
    return await calibrate({ ...base, data }, options.calibration(), folder, options);
  } finally {
    data.close();
    rmSync(join(folder, data.fileName));
  }
}

function requireBlocks4(model: ModelFile, weights: DecoderWeights): void {
  const types = weights.layers.flatMap(linearsOf).map((linear) => storedType(model.weights, linear));
  if (types.some((type) => type === "Q4_0" || type === "Q4_1")) return;
  throw new BonsaiError(
    "unsupported_model",
    `${model.path}: --quantization q4 serves a file's own Q4_0 or Q4_1 blocks, and this file has none; use q8.`,
    {
      param: "quantization",
    },
  );
}
