/** @file Opens the training graphs of a model: one way for decoders and encoders, whatever their loss. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { decoderWeightShapes, locateDecoderWeights, type DecoderWeights } from "../../architectures/decoder/decoder-weights.ts";
import { checkTargets, type LoraOptions, type TrainedWeight, type TrainingMode } from "../../architectures/training/trained-weights.ts";
import type { OptimizerOptions } from "../../autodiff/optimizers.ts";
import type { Node, Program } from "../../autodiff/program.ts";
import type { TrainingOptions } from "../../config/training-options.ts";
import type { ModelFile, WeightSource } from "../../formats/model-file.ts";
import { ExternalDataWriter } from "../../onnx/external-data.ts";
import { FrozenWeights, type BaseBits } from "./decoder-frozen-weights.ts";
import { initialLoraA } from "./decoder-initial-weights.ts";
import type { GradientProgramOptions } from "./gradient-program.ts";
import { TrainingGraphs } from "./training-graphs.ts";

/** Options of every model under training. */
export interface ModelTrainingOptions {
  /** Read while this is made, and not after. */
  weights: WeightSource;
  /** The model, as errors name it. */
  path: string;
  /** Rows of a batch at most, and their length. */
  rows: number;
  length: number;
  mode: TrainingMode;
  /** Default: AdamW with PyTorch's betas and epsilon and no decay. */
  optimizer?: OptimizerOptions;
  /** Largest global norm of a step's gradient; by default it is not clipped. */
  maxGradNorm?: number | undefined;
  threads: number;
  /**
   * Compute all activations of a layer anew in the backward pass: less memory, about a third more time. By default,
   * false, only those that cost next to nothing are.
   */
  recompute?: boolean;
  /** Bits of the frozen linear layers under LoRA; default 32. */
  baseBits?: BaseBits;
  /** Seed of LoRA's first weights and of dropout; default 0. */
  seed?: number;
  /** Where a folder for graphs and frozen weights is made; default the system's temporary folder. */
  temporaryFolder?: string;
}

/** How the weights of a model are trained: all of them, or an adapter over them. */
export function weightsTraining(
  { gradientCheckpointing, loadIn8bit, seed }: Pick<TrainingOptions, "gradientCheckpointing" | "loadIn8bit" | "seed">,
  { weights, path }: ModelFile,
  adapter: { lora: LoraOptions } | undefined,
): Pick<ModelTrainingOptions, "weights" | "path" | "mode"> & Required<Pick<ModelTrainingOptions, "recompute" | "baseBits" | "seed">> {
  const mode = adapter === undefined ? ({ kind: "full" } as const) : ({ kind: "lora", lora: adapter.lora } as const);
  return { weights, path, mode, recompute: gradientCheckpointing, baseBits: loadIn8bit ? 8 : 32, seed };
}

/** The trained weights of a model, and the programs over them. */
export interface ModelPrograms {
  /** Trained weights by name. */
  parameters: ReadonlyMap<string, Node>;
  gradients: (how: GradientProgramOptions) => Program;
  evaluation: () => Program;
  /** The values that a trained weight begins with. */
  initial: (weight: TrainedWeight) => Float32Array;
}

/** Inputs that share a scale in a frozen linear layer, or undefined where it stays in float32. */
export type BlockSizes = (module: string) => number | undefined;

const defaultOptimizer: OptimizerOptions = { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/**
 * @param config of a decoder, whose rotary tables are among what is not trained
 * @returns graphs whose files lie in a temporary folder until they are disposed
 */
export async function openModelGraphs(
  options: ModelTrainingOptions,
  config: DecoderConfig | undefined,
  build: (blockSize: BlockSizes) => ModelPrograms,
): Promise<TrainingGraphs> {
  const { weights, mode, threads, recompute = false, baseBits = 32 } = options;
  return inGraphFolder(options.temporaryFolder ?? tmpdir(), async (folder, release) => {
    const data = new ExternalDataWriter(join(folder, "weights.bin"));
    const frozen = new FrozenWeights(config, weights, data, mode.kind === "lora" ? baseBits : 32);
    const { parameters, gradients, evaluation, initial } = build((module) => frozen.blockSize(module));
    return TrainingGraphs.open({
      folder,
      threads,
      trained: [...parameters].map(([name, { shape }]): TrainedWeight => ({ name, shape })),
      initial,
      optimizer: options.optimizer ?? defaultOptimizer,
      maxGradNorm: options.maxGradNorm,
      gradients: (accumulate) => gradients({ recompute: recompute ? "all" : "cheap", accumulate }),
      evaluation,
      weights: { fileName: data.fileName, data: (name) => frozen.locate(name) },
      release: () => {
        data.close();
        release();
      },
    });
  });
}

/**
 * Calls `make` with a new folder for graphs, which is removed when `release` is called, and at once where `make` fails.
 */
export async function inGraphFolder<Made>(parent: string, make: (folder: string, release: () => void) => Promise<Made>): Promise<Made> {
  const folder = mkdtempSync(join(parent, "bonsai-training-"));
  const release = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    return await make(folder, release);
  } catch (error) {
    release();
    throw error;
  }
}

/**
 * @throws BonsaiError `invalid_model_file` for weights that are not the config's, `usage` for LoRA targets that the
 * model has not
 */
export function locateTrainedDecoder(config: DecoderConfig, { weights, path, mode }: ModelTrainingOptions): DecoderWeights {
  const located = locateDecoderWeights(config, weights, path);
  if (mode.kind === "lora") checkTargets(mode.lora, located);
  return located;
}

/** A decoder's own weights; of LoRA's factors A is drawn and B is zero. */
export function initialOfDecoder(
  config: DecoderConfig,
  { mode, weights, seed = 0 }: ModelTrainingOptions,
  { name, shape }: TrainedWeight,
): Float32Array {
  if (mode.kind === "full" || decoderWeightShapes(config).has(name)) return weights.readFloat32(name);
  const [rows, columns] = shape as [number, number];
  return name.endsWith(".lora_A.weight") ? initialLoraA(seed, name, rows, columns) : new Float32Array(rows * columns);
}
