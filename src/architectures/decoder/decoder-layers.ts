/** @file The parts of a decoder that both phases compute alike: embedding, norms, rotation, MLP. */

import { rotaryTables } from "./rotary.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { DecoderWeights, LayerWeights, NormWeight } from "./decoder-weights.ts";
import { blocks8, blockSize8, emitLinear, emitParts, external, type LinearContext } from "../quantization/linear.ts";
import type { Smoothing } from "../quantization/smoothing.ts";
import type { Value } from "../../onnx/graph.ts";

export interface DecoderContext extends LinearContext {
  config: DecoderConfig;
  weights: DecoderWeights;
  /** Factors that move outliers from activations into weights; only w8a8 uses them. */
  smoothing: Smoothing | undefined;
}

/** Residual stream and its normalised form, both [N * S, H]: all tokens of all rows, one after the other. */
export interface Normed {
  residual: Value;
  normed: Value;
}

/** ids [N, S] (and positions, alike, where they are learned) -> [N * S, H]. */
export function emitEmbedding(context: DecoderContext, ids: Value, positions: Value): Value {
  const { graph, config, weights, source, scheme } = context;
  const { vocabSize, hiddenSize } = config;
  const table = {
    name: config.tiedEmbeddings ? "lm_head" : "embedding",
    outputs: vocabSize,
    inputs: hiddenSize,
    weights: [weights.embedding],
    partOutputs: [vocabSize],
    biases: [],
  };
  let embedded: Value;
  if (scheme === "fp32" || hiddenSize % 32 !== 0) {
    embedded = graph.op("Gather", [
      external(context, "embedding.fp32", "float32", [vocabSize, hiddenSize], () => source.readFloat32(weights.embedding)),
      ids,
    ]);
  } else {
    const blockSize = blockSize8(source, table);
    // The same bytes as the output projection's, when the two are tied: they are stored once.
    const quantized = (): ReturnType<typeof blocks8> => blocks8(source, table);
    const dataKey = `${table.name}.blocks8`;
    const data = external(context, dataKey, "uint8", [vocabSize, hiddenSize], () => quantized().data, "embedding.blocks8");
    const scalesShape = [vocabSize, hiddenSize / blockSize];
    const scales = external(context, `${dataKey}.scales`, "float32", scalesShape, () => quantized().scales, "embedding.blocks8.scales");
    const attributes = { gather_axis: { int: 0 }, quantize_axis: { int: 1 }, block_size: { int: blockSize }, bits: { int: 8 } };
    embedded = graph.microsoft("GatherBlockQuantized", [data, ids, scales], attributes);
  }
  const flat = (x: Value): Value => graph.declare(graph.op("Reshape", [x, graph.int64s(-1, hiddenSize)]), "float32", ["M", hiddenSize]);
  if (weights.positions === undefined) return flat(embedded);
  const learned = weights.positions;
  const positionTable = external(context, "positions.fp32", "float32", [config.contextLength, hiddenSize], () =>
    source.readFloat32(learned),
  );
  return flat(graph.op("Add", [embedded, graph.op("Gather", [positionTable, positions])]));
}

/**
 * Adds `update` to the residual stream, where there is one, and normalises the sum. `divisor` is folded into the norm's
 * weight.
 */
export function emitNorm(
  context: DecoderContext,
  norm: NormWeight,
  residual: Value,
  update: Value | undefined,
  divisor?: Float32Array,
): Normed {
  const { graph, config } = context;
  const key = divisor === undefined ? "" : ".smoothed";
  const load = (name: string): Float32Array<ArrayBuffer> => {
    const loaded = context.source.readFloat32(name);
    return divisor === undefined ? loaded : loaded.map((value, channel) => value / (divisor[channel] as number));
  };
  const weight = external(context, `${norm.weight}${key}`, "float32", [config.hiddenSize], () => load(norm.weight));
  const epsilon = { float: config.norm.epsilon };
  if (config.norm.kind === "rms") {
    if (update === undefined)
      return { residual, normed: graph.op("SimplifiedLayerNormalization", [residual, weight], { axis: { int: -1 }, epsilon }) };
    const outputs = graph.ops(
      "SkipSimplifiedLayerNormalization",
      [residual, update, weight],
      [true, false, false, true],
      { epsilon },
      "com.microsoft",
    );
    return { normed: outputs[0] as Value, residual: outputs[3] as Value };
  }
  const sum = update === undefined ? residual : graph.op("Add", [residual, update]);
  const biasName = norm.bias as string;
  const bias = external(context, `${biasName}${key}`, "float32", [config.hiddenSize], () => load(biasName));
  return { residual: sum, normed: graph.op("LayerNormalization", [sum, weight, bias], { axis: { int: -1 }, epsilon }) };
}

/** Rotates each pair (i, i + headDim / 2) of every head by its position's angle. x [N, heads, S, headDim]. */
export function emitRotary(context: DecoderContext, x: Value, positions: Value): Value {
  const { graph, config } = context;
  if (config.position.kind !== "rotary") return x;
  const { rotary } = config.position;
  const shape = [config.contextLength, config.headDim / 2];
  const tables = (): ReturnType<typeof rotaryTables> => rotaryTables(rotary, config.headDim, config.contextLength);
  const cos = shared(context, "rotary.cos", shape, () => tables().cos);
  const sin = shared(context, "rotary.sin", shape, () => tables().sin);
  return graph.microsoft("RotaryEmbedding", [x, positions, cos, sin], { interleaved: { int: 0 } });
}

/** RMS norm of each query and key head (Qwen3). x [N, heads + kvHeads, S, headDim] with the key heads last. */
export function emitQueryKeyNorm(context: DecoderContext, layer: LayerWeights, x: Value): Value {
  const { graph, config, source } = context;
  const { queryNorm, keyNorm } = layer;
  if (queryNorm === undefined || keyNorm === undefined) return x;
  const { heads, kvHeads, headDim } = config;
  const ones = shared(context, "ones.headDim", [headDim], () => new Float32Array(headDim).fill(1));
  const normed = graph.op("SimplifiedLayerNormalization", [x, ones], { axis: { int: -1 }, epsilon: { float: config.norm.epsilon } });
  const weight = external(context, `${queryNorm}.heads`, "float32", [heads + kvHeads, 1, headDim], () => {
    const [query, key] = [source.readFloat32(queryNorm), source.readFloat32(keyNorm)];
    const stacked = new Float32Array((heads + kvHeads) * headDim);
    for (let head = 0; head < heads + kvHeads; head++) stacked.set(head < heads ? query : key, head * headDim);
    return stacked;
  });
  return graph.op("Mul", [normed, weight]);
}

/** [M, H] -> [M, H]. `observe` sees what enters the down projection. */
export function emitMlp(context: DecoderContext, layer: LayerWeights, x: Value, observe: (x: Value) => void = () => {}): Value {
  const { graph, config, smoothing } = context;
  const { intermediateSize } = config;
  const downScale = smoothing?.get(layer.down.name);
  const upScale = smoothing?.get(layer.up.name);
  if (config.mlp.kind === "gated") {
    // silu(gate) * up is linear in up: dividing up's rows divides the input of down.
    const outputs =
      downScale &&
      Float32Array.from({ length: 2 * intermediateSize }, (_, row) =>
        row < intermediateSize ? 1 : 1 / (downScale[row - intermediateSize] as number),
      );
    const [gate, up] = emitParts(context, layer.up, x, { inputs: upScale, outputs }) as [Value, Value];
    const activated = graph.op("Mul", [gate, graph.op("Sigmoid", [gate])]);
    const product = graph.op("Mul", [activated, up]);
    observe(product);
    return emitLinear(context, layer.down, product, { inputs: downScale });
  }
  const activated = graph.op("Gelu", [emitLinear(context, layer.up, x, { inputs: upScale })], { approximate: { string: "tanh" } });
  observe(activated);
  return emitLinear(context, layer.down, emitDivision(context, layer.down.name, activated, downScale), { inputs: downScale });
}

/** x / divisor along the last axis; x itself where there is nothing to divide by. */
export function emitDivision(context: DecoderContext, name: string, x: Value, divisor: Float32Array | undefined): Value {
  if (divisor === undefined) return x;
  const reciprocal = external(context, `${name}.smoothing`, "float32", [divisor.length], () =>
    Float32Array.from(divisor, (value) => 1 / value),
  );
  return context.graph.op("Mul", [x, reciprocal]);
}

/** An initializer that several layers use. */
function shared(context: DecoderContext, key: string, shape: readonly number[], make: () => Float32Array<ArrayBuffer>): Value {
  return context.graph.once(key, () => external(context, key, "float32", shape, make));
}
