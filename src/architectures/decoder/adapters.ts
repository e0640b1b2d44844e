/**
 * @file LoRA adapters beside the base that they share (Hu et al. 2021, section 4.1): every row of a run names its
 * adapter, and gets y = x Wᵀ + scale (x Aᵀ) Bᵀ with that one's factors. The factors of all adapters are stacked, and
 * those of other adapters are multiplied by exact zeros: a row's numbers depend on its own adapter alone, and a row
 * without one keeps the base's.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { loraScale, type LoraAdapter, type LoraPair } from "../../formats/peft-adapter.ts";
import type { ExternalDataWriter } from "../../onnx/external-data.ts";
import type { Graph, Value } from "../../onnx/graph.ts";
import { linearsOf, type DecoderWeights, type LinearWeight } from "./decoder-weights.ts";
import { scaledKey, type LinearScaling } from "../quantization/scaling.ts";

export interface Adapters {
  all: readonly LoraAdapter[];
  /** [M, adapters] float32: 1 where the row has the adapter, else 0. */
  chosen: Value;
}

interface AdapterContext {
  graph: Graph;
  data: ExternalDataWriter;
  adapters?: Adapters | undefined;
}

/** One factor pair of a linear layer: which adapter's, and where its outputs lie among the layer's. */
interface Part {
  adapter: number;
  pair: LoraPair;
  firstOutput: number;
}

/**
 * Throws `invalid_model_file` or `unsupported_model` naming the first layer of an adapter that the decoder cannot take.
 */
export function checkAdapter(adapter: LoraAdapter, weights: DecoderWeights, path: string): void {
  const known = new Map<string, [outputs: number, inputs: number]>();
  for (const layer of weights.layers) {
    for (const linear of linearsOf(layer)) {
      linear.weights.forEach((name, part) => known.set(layerName(name), [linear.partOutputs[part] as number, linear.inputs]));
    }
  }
  for (const [name, { outputs, inputs }] of adapter.pairs) {
    const shape = known.get(name);
    if (shape === undefined) {
      throw new BonsaiError(
        "unsupported_model",
        `${path}: the adapter changes the layer ${name}; those of attention and MLP in the base's blocks can be served beside it.`,
      );
    }
    if (shape[0] === outputs && shape[1] === inputs) continue;
    throw new BonsaiError(
      "invalid_model_file",
      `${path}: the adapter changes the layer ${name} as [${outputs}, ${inputs}], but the base has it as [${shape.join(", ")}].`,
    );
  }
}

/**
 * What the adapters add to a linear layer's y [M, outputs], from the same x [M, inputs]; undefined where none changes
 * it.
 */
export function emitAdapters(context: AdapterContext, weight: LinearWeight, x: Value, scaling: LinearScaling): Value | undefined {
  const { graph, data, adapters } = context;
  if (adapters === undefined) return undefined;
  const parts = partsOf(adapters.all, weight);
  if (parts.length === 0) return undefined;
  const ranks = parts.map(({ pair }) => pair.a.length / pair.inputs);
  const rank = ranks.reduce((sum, one) => sum + one, 0);
  const factor = (name: string, folded: Float32Array | undefined, shape: readonly number[], make: () => Float32Array<ArrayBuffer>): Value =>
    graph.initializer(`${weight.name}.${name}`, "float32", shape, data.add(scaledKey(`${weight.name}.${name}`, folded), make));
  const { inputs, outputs } = scaling;
  const down = factor("lora_A", inputs, [weight.inputs, rank], () => stackDown(parts, weight.inputs, rank, inputs));
  const up = factor("lora_B", outputs, [rank, weight.outputs], () => stackUp(parts, weight.outputs, rank, outputs));
  // Layers whose adapters have the same ranks in the same order share their choice of columns.
  const layout = parts.map(({ adapter }, index) => `${adapter}x${ranks[index]}`).join("_");
  const columns = graph.once(`adapter_columns_${layout}`, () => {
    const scales = new Float32Array(adapters.all.length * rank);
    let column = 0;
    parts.forEach(({ adapter }, index) => {
      const start = adapter * rank + column;
      scales.fill(loraScale(adapters.all[adapter] as LoraAdapter), start, start + (ranks[index] as number));
      column += ranks[index] as number;
    });
    return graph.op("MatMul", [adapters.chosen, graph.constant("float32", [adapters.all.length, rank], scales)]);
  });
  return graph.op("MatMul", [graph.op("Mul", [graph.op("MatMul", [x, down]), columns]), up]);
}

function partsOf(adapters: readonly LoraAdapter[], weight: LinearWeight): Part[] {
  return adapters.flatMap(({ pairs }, adapter) => {
    let firstOutput = 0;
    return weight.weights.flatMap((name, index): Part[] => {
      const pair = pairs.get(layerName(name));
      const part = pair === undefined ? [] : [{ adapter, pair, firstOutput }];
      firstOutput += weight.partOutputs[index] as number;
      return part;
    });
  });
}

/** All A as columns: [inputs, rank]. */
function stackDown(parts: readonly Part[], inputs: number, rank: number, scales: Float32Array | undefined): Float32Array<ArrayBuffer> {
  const stacked = new Float32Array(inputs * rank);
  let column = 0;
  for (const { pair } of parts) {
    for (let k = 0; k < pair.a.length / inputs; k++, column++) {
      for (let input = 0; input < inputs; input++)
        stacked[input * rank + column] = (pair.a[k * inputs + input] as number) * (scales?.[input] ?? 1);
    }
  }
  return stacked;
}

/** All B, each in the columns of its own outputs: [rank, outputs]. */
function stackUp(parts: readonly Part[], outputs: number, rank: number, scales: Float32Array | undefined): Float32Array<ArrayBuffer> {
  const stacked = new Float32Array(rank * outputs);
  let row = 0;
  for (const { pair, firstOutput } of parts) {
    const own = pair.a.length / pair.inputs;
    for (let k = 0; k < own; k++, row++) {
      for (let output = 0; output < pair.outputs; output++) {
        const at = firstOutput + output;
        stacked[row * outputs + at] = (pair.b[output * own + k] as number) * (scales?.[at] ?? 1);
      }
    }
  }
  return stacked;
}

function layerName(weightName: string): string {
  return weightName.slice(0, -".weight".length);
}
