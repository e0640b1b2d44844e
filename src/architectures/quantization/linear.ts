/** @file The ways a linear layer is computed: fp32, blocks of 8 or 4 bits, or 8-bit rows times 8-bit columns. */

import type { DType } from "../../tensor/dtype.ts";
import type { WeightSource } from "../../formats/model-file.ts";
import type { ElementArray, ElementType } from "../../onnx/data-type.ts";
import type { ExternalDataWriter } from "../../onnx/external-data.ts";
import type { Graph, Value } from "../../onnx/graph.ts";
import { blockSizeFor, fileBlockSize, quantizeBlocks8, quantizeChannels8, type BlockQuantized } from "../../tensor/quantize.ts";
import { repackQ4_0, repackQ4_1, repackQ8_0, type OffsetBlocks } from "../../tensor/repack.ts";
import { transpose } from "../../tensor/transpose.ts";
import { emitAdapters, type Adapters } from "../decoder/adapters.ts";
import { loadBias, loadLinear, type LinearWeight } from "../decoder/decoder-weights.ts";
import { emitBlockProduct } from "./block-products.ts";
import { emitByteProduct } from "./byte-products.ts";
import { emitQuantizedRows } from "./quantized-rows.ts";
import { scaledKey, type LinearScaling } from "./scaling.ts";

/**
 * fp32: `MatMul`.
 * blocks8: `MatMulNBits`, 8 bits in blocks of 64 inputs (a Q8_0 file's own blocks of 32), products in int8.
 * blocks4: the file's own Q4_0 or Q4_1 blocks, with their own scale and minimum; blocks8 where the file has others.
 * w8a8: each row of activations and each output channel of weights has one 8-bit scale; sums are exact integers.
 */
export const linearSchemes = ["fp32", "blocks8", "blocks4", "w8a8"] as const;
export type LinearScheme = (typeof linearSchemes)[number];

/** What building a graph's linear layers needs. */
export interface LinearContext {
  graph: Graph;
  source: WeightSource;
  data: ExternalDataWriter;
  scheme: LinearScheme;
  /** Used by blocks4 only: see `emitBlockProduct`. */
  neverAlone?: boolean | undefined;
  /** What is added for rows that have an adapter. */
  adapters?: Adapters | undefined;
  /** Linear layers of one group multiply the same number of rows: all but the head, which has its own. */
  rowGroup?: string | undefined;
}

/** Emits y = x Wᵀ + b, and what adapters add: [M, inputs] -> [M, outputs]. */
export function emitLinear(context: LinearContext, weight: LinearWeight, x: Value, scaling: LinearScaling = {}): Value {
  const base = emitProduct(context, weight, x, scaling);
  const added = emitAdapters(context, weight, x, scaling);
  const product = added === undefined ? base : context.graph.op("Add", [base, added]);
  const bias = loadBias(context.source, weight);
  if (bias === undefined) return product;
  const scaled = scaling.outputs === undefined ? bias : bias.map((value, output) => value * (scaling.outputs?.[output] as number));
  const key = scaledKey(`${weight.name}.bias`, scaling.outputs);
  return context.graph.op("Add", [product, external(context, key, "float32", [weight.outputs], () => scaled)]);
}

/**
 * Emits what `emitLinear` does, but a value for each of the stacked parts. Rows of bytes are multiplied by one part
 * after the other, which is faster than splitting the product.
 */
export function emitParts(context: LinearContext, weight: LinearWeight, x: Value, scaling: LinearScaling = {}): Value[] {
  const { graph, scheme, adapters } = context;
  const { partOutputs, biases } = weight;
  if (scheme === "w8a8" && adapters === undefined && biases.length === 0) return emitW8A8Parts(context, weight, x, scaling, partOutputs);
  const whole = emitLinear(context, weight, x, scaling);
  return graph.ops("Split", [whole, graph.int64s(...partOutputs)], partOutputs.length, { axis: { int: -1 } });
}

/**
 * An initializer in the model's data file, written once under its key. @param name of the value, where one graph reads
 * the same bytes twice
 */
export function external(
  context: Pick<LinearContext, "graph" | "data">,
  key: string,
  type: ElementType,
  shape: readonly number[],
  make: () => ElementArray,
  name = key,
): Value {
  return context.graph.initializer(name, type, shape, context.data.add(key, make));
}

function emitProduct(context: LinearContext, weight: LinearWeight, x: Value, scaling: LinearScaling): Value {
  const { graph, source, scheme } = context;
  const { name, outputs, inputs } = weight;
  if (scheme === "fp32") {
    const w = external(context, `${name}.fp32`, "float32", [inputs, outputs], () =>
      transpose(loadScaled(source, weight, scaling), outputs, inputs),
    );
    return graph.op("MatMul", [x, w]);
  }
  if (scheme === "w8a8") return emitW8A8(context, weight, x, scaling);
  const stored = storedType(source, weight);
  const factors = scaling.outputs;
  if (scheme === "blocks4" && stored === "Q4_0")
    return emitBlocks(context, weight, x, 4, () => repackQ4_0(readRaw(source, weight), outputs, inputs), factors);
  if (scheme === "blocks4" && stored === "Q4_1") {
    const repacked = once(() => repackQ4_1(readRaw(source, weight), outputs, inputs));
    return graph.op("Add", [emitBlocks(context, weight, x, 4, repacked, factors), emitOffsets(context, weight, x, repacked, factors)]);
  }
  return emitBlocks(context, weight, x, 8, () => blocks8(source, weight), factors);
}

/** The 8-bit blocks of a weight: a Q8_0 file's own, else requantised. */
export function blocks8(source: WeightSource, weight: LinearWeight): BlockQuantized {
  return storedType(source, weight) === "Q8_0"
    ? repackQ8_0(readRaw(source, weight), weight.outputs, weight.inputs)
    : quantizeBlocks8(loadLinear(source, weight), weight.outputs, weight.inputs);
}

/** Inputs that share a scale in `blocks8`. */
export function blockSize8(source: WeightSource, weight: LinearWeight): number {
  return storedType(source, weight) === "Q8_0" ? fileBlockSize : blockSizeFor(weight.inputs);
}

/** @param factors what each output is multiplied by: a block's scale takes it, its integers stay */
function emitBlocks(
  context: LinearContext,
  weight: LinearWeight,
  x: Value,
  bits: 4 | 8,
  make: () => BlockQuantized,
  factors: Float32Array | undefined,
): Value {
  const { name, outputs, inputs } = weight;
  const blockSize = bits === 4 ? fileBlockSize : blockSize8(context.source, weight);
  const blocks = Math.ceil(inputs / blockSize);
  const quantized = once(make);
  const data = external(context, `${name}.blocks${bits}`, "uint8", [outputs, blocks, (blockSize * bits) / 8], () => quantized().data);
  const scalesKey = scaledKey(`${name}.blocks${bits}.scales`, factors);
  const scales = external(context, scalesKey, "float32", [outputs * blocks], () =>
    quantized().scales.map((scale, at) => scale * (factors?.[Math.floor(at / blocks)] ?? 1)),
  );
  const neverAlone = bits === 4 && context.neverAlone === true;
  return emitBlockProduct(context.graph, x, { data, scales, inputs, outputs, bits, blockSize }, neverAlone);
}

/** The blocks' offsets times the sums of the inputs of each block: x Oᵀ with one input a block. */
function emitOffsets(
  context: LinearContext,
  weight: LinearWeight,
  x: Value,
  repacked: () => OffsetBlocks,
  factors: Float32Array | undefined,
): Value {
  const { graph } = context;
  const { name, outputs, inputs } = weight;
  const blocks = inputs / fileBlockSize;
  const offsets = external(context, scaledKey(`${name}.blocks4.offsets`, factors), "float32", [blocks, outputs], () =>
    (repacked().offsets as Float32Array<ArrayBuffer>).map((offset, at) => offset * (factors?.[at % outputs] ?? 1)),
  );
  const grouped = graph.op("Reshape", [x, graph.int64s(0, blocks, fileBlockSize)]);
  return graph.op("MatMul", [graph.op("ReduceSum", [grouped, graph.int64s(-1)], { keepdims: { int: 0 } }), offsets]);
}

/** Integer sums are exact, and each row has its own scale, so a row's result does not depend on the others. */
function emitW8A8(context: LinearContext, weight: LinearWeight, x: Value, scaling: LinearScaling): Value {
  const [product] = emitW8A8Parts(context, weight, x, scaling, [weight.outputs]) as [Value];
  return product;
}

/** @param parts outputs of each of the products that share the rows of x */
function emitW8A8Parts(context: LinearContext, weight: LinearWeight, x: Value, scaling: LinearScaling, parts: readonly number[]): Value[] {
  const { graph, source, rowGroup } = context;
  const { name, inputs } = weight;
  const loaded = once(() => loadScaled(source, weight, scaling));
  const { rows, scales } = emitQuantizedRows(graph, x, [0, inputs], rowGroup);
  let first = 0;
  return parts.map((outputs, part) => {
    const start = first;
    const quantized = once(() => quantizeChannels8(loaded().subarray(start * inputs, (start + outputs) * inputs), outputs, inputs));
    first += outputs;
    const key = parts.length === 1 ? `${name}.w8` : `${name}.${part}.w8`;
    const data = external(context, key, "int8", [inputs, outputs], () => quantized().data);
    const channelScales = external(context, `${key}.scales`, "float32", [outputs], () => quantized().scales);
    return graph.op("Mul", [emitByteProduct(graph, rows, data, "int8", channelScales), scales]);
  });
}

function loadScaled(source: WeightSource, weight: LinearWeight, scaling: LinearScaling): Float32Array<ArrayBuffer> {
  const loaded = loadLinear(source, weight);
  const { inputs: byInput, outputs: byOutput } = scaling;
  if (byInput === undefined && byOutput === undefined) return loaded;
  for (let output = 0; output < weight.outputs; output++) {
    const factor = byOutput?.[output] ?? 1;
    for (let input = 0; input < weight.inputs; input++) {
      const at = output * weight.inputs + input;
      loaded[at] = (loaded[at] as number) * factor * (byInput?.[input] ?? 1);
    }
  }
  return loaded;
}

/** The type that all stacked tensors are stored in, or undefined when they differ. */
export function storedType(source: WeightSource, weight: LinearWeight): DType | undefined {
  const types = new Set(weight.weights.map((name) => source.infos.get(name)?.dtype));
  return types.size === 1 ? [...types][0] : undefined;
}

/** Blocks run along the inputs, so stacking outputs is concatenation. */
function readRaw(source: WeightSource, weight: LinearWeight): Uint8Array<ArrayBuffer> {
  const parts = weight.weights.map((name) => source.readRaw(name));
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : new Uint8Array(Buffer.concat(parts));
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
