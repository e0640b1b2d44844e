/**
 * @file The parts of a model as programs under differentiation: weights by name, linear layers with and without
 * factors, norms.
 */

import * as o from "../../autodiff/operations.ts";
import type { Node, Program } from "../../autodiff/program.ts";
import type { DecoderConfig } from "../decoder/decoder-config.ts";
import type { DecoderWeights, LinearWeight, NormWeight } from "../decoder/decoder-weights.ts";
import { isTarget, loraFactors, modulesOf, type LinearModule, type TrainingMode } from "./trained-weights.ts";

/** What the parts of any model need. */
export interface LayerContext {
  program: Program;
  config: Pick<DecoderConfig, "hiddenSize" | "norm">;
  mode: TrainingMode;
  /**
   * Inputs that share a scale where frozen linear layers are in 8 bits, by full name without `.weight`; undefined where
   * they are float32.
   */
  blockSize: (module: string) => number | undefined;
  /** Whether dropout is on. */
  dropout: boolean;
  /** Nodes of weights and other values that are made once, by name. */
  made: Map<string, Node>;
}

/** What a decoder under training is made in. */
export interface TrainingContext extends LayerContext {
  config: DecoderConfig;
  weights: DecoderWeights;
}

/** Trained weights by name, in the order of their first use. */
export function parametersOf({ made }: LayerContext): Map<string, Node> {
  return new Map([...made].filter(([, node]) => node.primitive === "parameter"));
}

export function shared(context: LayerContext, name: string, make: () => Node): Node {
  const existing = context.made.get(name);
  if (existing !== undefined) return existing;
  const node = make();
  context.made.set(name, node);
  return node;
}

/** A weight of the model: trained in full training, frozen under LoRA. */
export function modelWeight(context: LayerContext, name: string, shape: readonly number[]): Node {
  const { program, mode } = context;
  return shared(context, name, () => (mode.kind === "full" ? program.parameter(name, shape) : program.weight(name, "float32", shape)));
}

/** Names of the two parts of a weight in 8-bit blocks. */
export function blockNames(module: string): { blocks: string; scales: string } {
  return { blocks: `${module}.blocks8`, scales: `${module}.blocks8.scales` };
}

/** y = x Wᵀ + b, and with factors y + scale dropout(x) Aᵀ Bᵀ. x [N, inputs] -> [N, outputs]. */
export function linear(context: LayerContext, module: LinearModule, x: Node): Node {
  const { mode } = context;
  const base = frozenOrTrained(context, module, x);
  const biased = module.bias === undefined ? base : o.add(base, modelWeight(context, module.bias, [module.outputs]));
  if (mode.kind !== "lora" || !isTarget(mode.lora, module.name)) return biased;
  const { lora } = mode;
  const factors = loraFactors(lora, module);
  const a = shared(context, factors.a.name, () => context.program.parameter(factors.a.name, factors.a.shape));
  const b = shared(context, factors.b.name, () => context.program.parameter(factors.b.name, factors.b.shape));
  const narrow = o.matmul(dropped(context, lora.dropout, x), a, { transposeB: true });
  return o.add(biased, o.matmul(narrow, b, { transposeB: true, alpha: lora.alpha / lora.rank }));
}

/** A linear layer that is stacked with no other. x [N, inputs] -> [N, outputs]. */
export function singleLinear(context: LayerContext, weight: LinearWeight, x: Node): Node {
  const [only] = modulesOf(weight);
  return linear(context, only!, x);
}

function frozenOrTrained(context: LayerContext, { name, outputs, inputs }: LinearModule, x: Node): Node {
  const { program } = context;
  const blockSize = context.blockSize(name);
  if (blockSize === undefined) return o.matmul(x, modelWeight(context, `${name}.weight`, [outputs, inputs]), { transposeB: true });
  const names = blockNames(name);
  const blocks = shared(context, names.blocks, () => program.weight(names.blocks, "uint8", [outputs, inputs]));
  const scales = shared(context, names.scales, () => program.weight(names.scales, "float32", [outputs, inputs / blockSize]));
  return o.quantizedLinear(x, blocks, scales, blockSize);
}

/** Each layer drops by a stream of its own, numbered in the order of their making. x [N, H]. */
export function dropped(context: LayerContext, rate: number, x: Node): Node {
  if (!context.dropout || rate === 0) return x;
  const seed = shared(context, "dropout_seed", () => context.program.input("dropout_seed", "int32", [2]));
  const stream = [...context.made.keys()].filter((name) => name.startsWith("dropout_")).length;
  return o.mul(
    x,
    shared(context, `dropout_${stream}`, () => o.dropoutMask(seed, rate, stream, x.shape)),
  );
}

/** Normalises x [N, H] over its last axis. */
export function norm(context: LayerContext, { weight, bias }: NormWeight, x: Node): Node {
  const { hiddenSize, norm: kind } = context.config;
  const gain = modelWeight(context, weight, [hiddenSize]);
  if (kind.kind === "rms" || bias === undefined) return o.rmsNorm(x, gain, kind.epsilon);
  return o.layerNorm(x, gain, modelWeight(context, bias, [hiddenSize]), kind.epsilon);
}
