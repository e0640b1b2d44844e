/**
 * @file Which weights of a model a training changes: all of them, or low-rank factors beside chosen linear layers
 * (LoRA).
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { peftTensorName } from "../../formats/peft-adapter.ts";
import { linearsOf, type LayerWeights, type LinearWeight } from "../decoder/decoder-weights.ts";

/** LoRA (Hu et al. 2021, section 4.1): W + (alpha / rank) B A, W frozen. Names and defaults are PEFT's. */
export interface LoraOptions {
  rank: number;
  alpha: number;
  /** Probability with which each input of A is dropped in training. */
  dropout: number;
  /** The linear layers that get factors: those whose full name is one of these, or ends with a dot and one of these. */
  targetModules: readonly string[];
}

/** full: all weights of the model; lora: factors beside some of them; frozen: none. */
export type TrainingMode = { kind: "full" } | { kind: "lora"; lora: LoraOptions } | { kind: "frozen" };

/** A linear layer as the model's own files have it: [outputs, inputs]. */
export interface LinearModule {
  /** Full name without `.weight`. */
  name: string;
  outputs: number;
  inputs: number;
  bias: string | undefined;
}

/** The modules that are stacked in one weight of the serving graphs. */
export function modulesOf(linear: LinearWeight): LinearModule[] {
  return linear.weights.map((weight, part) => ({
    name: weight.replace(/\.weight$/, ""),
    outputs: linear.partOutputs[part] as number,
    inputs: linear.inputs,
    bias: linear.biases[part],
  }));
}

export function isTarget(lora: LoraOptions, module: string): boolean {
  return lora.targetModules.some((target) => module === target || module.endsWith(`.${target}`));
}

/** A [rank, inputs] and B [outputs, rank] of a layer, by PEFT's names. */
export function loraFactors(lora: LoraOptions, { name, inputs, outputs }: LinearModule): { a: TrainedWeight; b: TrainedWeight } {
  return {
    a: { name: peftTensorName(name, "A"), shape: [lora.rank, inputs] },
    b: { name: peftTensorName(name, "B"), shape: [outputs, lora.rank] },
  };
}

export interface TrainedWeight {
  name: string;
  shape: readonly number[];
}

/** The linear layers of a model, whatever its architecture. */
interface ModelLayers {
  layers: readonly Pick<LayerWeights, "queryKeyValue" | "output" | "up" | "down">[];
  /** Present in a BERT. */
  pooler?: LinearWeight;
}

/** Full names, without `.weight`, of all linear layers but the head: what PEFT calls "all-linear". */
export function linearModules({ layers, pooler }: ModelLayers): string[] {
  const linears = layers.flatMap(linearsOf);
  return [...linears, ...(pooler === undefined ? [] : [pooler])].flatMap((linear) => modulesOf(linear).map(({ name }) => name));
}

/** Throws `usage` naming a target that is no linear layer of the model. */
export function checkTargets(lora: LoraOptions, weights: ModelLayers): void {
  const modules = linearModules(weights);
  for (const target of lora.targetModules) {
    if (modules.some((module) => isTarget({ ...lora, targetModules: [target] }, module))) continue;
    const known = [...new Set(modules.map((module) => module.split(".").at(-1)))].join(", ");
    throw new BonsaiError("usage", `--lora-target-modules cannot be "${target}": the model's linear layers are ${known}.`, {
      param: "--lora-target-modules",
    });
  }
}
