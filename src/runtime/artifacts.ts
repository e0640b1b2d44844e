/**
 * @file The graphs and quantised weights of a model, made once and kept on disk under the hash of what they were made from.
 *
 * The cache may be deleted at any time, even while a server runs: mapped files stay until they are unmapped.
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DecoderConfig } from "../architectures/decoder-config.ts";
import { buildDecodeGraph } from "../architectures/decode-graph.ts";
import { locateDecoderWeights, type DecoderWeights } from "../architectures/decoder-weights.ts";
import { buildHeadGraph } from "../architectures/head-graph.ts";
import type { DecoderContext } from "../architectures/decoder-layers.ts";
import { storedType, type LinearScheme } from "../architectures/linear.ts";
import { buildPrefillGraph } from "../architectures/prefill-graph.ts";
import type { Smoothing } from "../architectures/smoothing.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { ModelFile } from "../formats/model-file.ts";
import type { Graph } from "../onnx/graph.ts";
import { ExternalDataWriter } from "../onnx/external-data.ts";
import { writeModel } from "../onnx/write.ts";
import { calibrateSmoothing } from "./calibrate.ts";
import type { QuantizationPlan } from "./quantization.ts";
import type { SessionOptions } from "./session.ts";

/** Part of every key: raise it when graphs or quantisation change. */
const formatVersion = 2;

export interface Artifacts {
  graphs: { prefill: string; decode: string; head: string };
  /** Names model content, plan and format version, 64 hex digits. */
  hash: string;
}

export interface ArtifactOptions extends SessionOptions {
  cacheDir: string;
  /** The least recently used entries go when all together pass this. */
  maxCacheBytes: number;
  /** Token ids over which activations are measured. */
  calibration: () => readonly (readonly number[])[];
  log: (line: string) => void;
}

/** Finds or makes the artifacts of a model. Throws `unsupported_model` when the file has nothing that the plan needs. */
export async function prepareArtifacts(
  model: ModelFile,
  config: DecoderConfig,
  plan: QuantizationPlan,
  options: ArtifactOptions,
): Promise<Artifacts> {
  const weights = locateDecoderWeights(config, model.weights, model.path);
  if (plan.decode === "blocks4") requireBlocks4(model, weights);
  const hash = createHash("sha256").update(JSON.stringify([formatVersion, model.contentHash, plan])).digest("hex");
  const folder = join(options.cacheDir, hash);
  if (existsSync(folder)) {
    const now = new Date();
    utimesSync(folder, now, now);
  } else {
    options.log(`Preparing ${model.path} (prompts ${plan.prefill}, answers ${plan.decode}); this happens once.`);
    mkdirSync(options.cacheDir, { recursive: true });
    const scratch = mkdtempSync(join(options.cacheDir, "making-"));
    try {
      await make(model, config, weights, plan, scratch, options);
      publish(scratch, folder);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    evict(options.cacheDir, hash, options.maxCacheBytes);
  }
  return { hash, graphs: { prefill: join(folder, "prefill.onnx"), decode: join(folder, "decode.onnx"), head: join(folder, "head.onnx") } };
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
  const data = new ExternalDataWriter(join(folder, "weights.bin"));
  try {
    const smoothing = await smoothingFor(plan, { ...base, data }, folder, options);
    const phase = (scheme: LinearScheme): Omit<DecoderContext, "graph"> => ({ ...base, data, scheme, smoothing: scheme === "w8a8" ? smoothing : undefined });
    const write = (name: string, graph: Graph): void => writeFileSync(join(folder, name), writeModel(graph, data.fileName));
    write("decode.onnx", buildDecodeGraph(phase(plan.decode), plan.cacheType));
    write("prefill.onnx", buildPrefillGraph(phase(plan.prefill), plan.cacheType));
    write("head.onnx", buildHeadGraph(phase(plan.decode)));
  } finally {
    data.close();
  }
}

async function smoothingFor(
  plan: QuantizationPlan,
  base: Parameters<typeof calibrateSmoothing>[0],
  folder: string,
  options: ArtifactOptions,
): Promise<Smoothing | undefined> {
  if (plan.prefill !== "w8a8" && plan.decode !== "w8a8") return undefined;
  // The measurement's 8-bit blocks stay in the file when answers are decoded with them, and are thrown away when not.
  if (plan.decode === "blocks8") return calibrateSmoothing(base, options.calibration(), folder, options);
  const data = new ExternalDataWriter(join(folder, "calibrate.bin"));
  try {
    return await calibrateSmoothing({ ...base, data }, options.calibration(), folder, options);
  } finally {
    data.close();
    rmSync(join(folder, data.fileName));
  }
}

/** Another process may have made the same artifacts meanwhile: theirs are as good. */
function publish(scratch: string, folder: string): void {
  try {
    renameSync(scratch, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

function requireBlocks4(model: ModelFile, weights: DecoderWeights): void {
  const types = weights.layers.flatMap((layer) => [layer.queryKeyValue, layer.output, layer.up, layer.down]).map((linear) => storedType(model.weights, linear));
  if (types.some((type) => type === "Q4_0" || type === "Q4_1")) return;
  throw new BonsaiError("unsupported_model", `${model.path}: --quantization q4 serves a file's own Q4_0 or Q4_1 blocks, and this file has none; use q8.`, {
    param: "quantization",
  });
}

function evict(cacheDir: string, keep: string, maxBytes: number): void {
  const entries = readdirSync(cacheDir)
    .filter((name) => name !== keep && /^[0-9a-f]{64}$/.test(name))
    .map((name) => ({ path: join(cacheDir, name), usedMs: statSync(join(cacheDir, name)).mtimeMs, bytes: folderBytes(join(cacheDir, name)) }))
    .toSorted((a, b) => b.usedMs - a.usedMs);
  let total = folderBytes(join(cacheDir, keep));
  for (const entry of entries) {
    total += entry.bytes;
    if (total > maxBytes) rmSync(entry.path, { recursive: true, force: true });
  }
}

function folderBytes(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
