/**
 * @file Self-attention of one layer: from the normalised hidden states of new tokens to what they add to the residual
 * stream.
 */

import type { Value } from "../../onnx/graph.ts";
import { emitCachedAttention, type CacheOptions } from "./cached-attention.ts";
import { attendedScales, projectionFactors } from "../quantization/kv-scales.ts";
import { emitDivision, emitQueryKeyNorm, emitRotary, type DecoderContext } from "./decoder-layers.ts";
import type { LayerWeights } from "./decoder-weights.ts";
import { emitLinear } from "../quantization/linear.ts";

/** What every layer reads of a run's inputs (buildDecoderGraph has their shapes). */
export interface StepInputs {
  positions: Value;
  mask: Value;
  lengths: Value;
  cache: CacheOptions;
  /** Sees what enters a linear layer: x [N * S, channels]. */
  observe: (name: string, x: Value, channels: number) => void;
}

/** x [N * S, H] -> output [N * S, H]; the tokens' keys and values, each [N, kvHeads, S, headDim]. */
export function emitAttention(
  context: DecoderContext,
  layer: LayerWeights,
  index: number,
  x: Value,
  step: StepInputs,
): { output: Value; key: Value; value: Value } {
  const { graph, config, smoothing } = context;
  const { heads, kvHeads, headDim } = config;
  step.observe(layer.queryKeyValue.name, x, config.hiddenSize);
  const scales = step.cache.scales?.values[index];
  const projected = emitLinear(context, layer.queryKeyValue, x, {
    inputs: smoothing?.get(layer.queryKeyValue.name),
    outputs: scales && projectionFactors(config, scales),
  });
  const byTokenShape = graph.once("by_token_shape", () => {
    const rowsAndTokens = graph.op("Shape", [step.positions]);
    return graph.op("Concat", [rowsAndTokens, graph.int64s(heads + 2 * kvHeads, headDim)], { axis: { int: 0 } });
  });
  const byToken = graph.declare(graph.op("Reshape", [projected, byTokenShape]), "float32", ["N", "S", heads + 2 * kvHeads, headDim]);
  const byHead = graph.op("Transpose", [byToken], { perm: { ints: [0, 2, 1, 3] } });
  const [queryKey, value] = graph.ops("Split", [byHead, graph.int64s(heads + kvHeads, kvHeads)], 2, { axis: { int: 1 } }) as [Value, Value];
  const rotated = emitRotary(context, emitQueryKeyNorm(context, layer, queryKey), step.positions);
  const [queryHeads, key] = graph.ops("Split", [rotated, graph.int64s(heads, kvHeads)], 2, { axis: { int: 1 } }) as [Value, Value];
  // The query heads of a group follow one another, so that a group's queries meet their key head in one product.
  const query = graph.declare(graph.op("Reshape", [queryHeads, graph.int64s(0, kvHeads, -1, headDim)]), "float32", [
    "N",
    kvHeads,
    "G",
    headDim,
  ]);
  const sum = emitCachedAttention(context, index, { query, key, value, mask: step.mask, lengths: step.lengths }, step.cache);
  const attendedHeads = graph.op(
    "Transpose",
    [graph.declare(graph.op("Reshape", [sum, graph.int64s(0, heads, -1, headDim)]), "float32", ["N", heads, "S", headDim])],
    {
      perm: { ints: [0, 2, 1, 3] },
    },
  );
  const attended = graph.declare(graph.op("Reshape", [attendedHeads, graph.int64s(-1, heads * headDim)]), "float32", [
    "M",
    heads * headDim,
  ]);
  step.observe(layer.output.name, attended, heads * headDim);
  return { output: emitOutput(context, layer, attended, scales), key, value };
}

/**
 * The output projection of the attended values. With a cache of bytes these are still divided by the scales of values.
 */
function emitOutput(context: DecoderContext, { output }: LayerWeights, attended: Value, scales: Float32Array | undefined): Value {
  const smoothing = context.smoothing?.get(output.name);
  const divisor =
    scales === undefined ? smoothing : attendedScales(context.config, scales).map((scale, at) => (smoothing?.[at] ?? 1) / scale);
  return emitLinear(context, output, emitDivision(context, output.name, attended, divisor), { inputs: smoothing });
}
