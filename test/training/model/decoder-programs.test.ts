/** @file The gradients of a decoder's loss: PyTorch's, along no path that leads to frozen weights alone. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDecoderConfig, type DecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { locateDecoderWeights } from "../../../src/architectures/decoder/decoder-weights.ts";
import { rotaryTables } from "../../../src/architectures/decoder/rotary.ts";
import type { TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { liveNodes } from "../../../src/autodiff/live-nodes.ts";
import type { Node, Program } from "../../../src/autodiff/program.ts";
import type { RecomputationKind } from "../../../src/autodiff/recomputation.ts";
import type { WeightSource } from "../../../src/formats/model-file.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import type { ElementArray } from "../../../src/onnx/data-type.ts";
import { gradientProgram } from "../../../src/training/model/decoder-programs.ts";
import type { StateTensor } from "../../../src/training/run/trainable-model.ts";
import { runProgram } from "../../autodiff/run-program.ts";
import {
  goldenBatch,
  goldenFactors,
  goldenLora,
  modelPath,
  trainingGolden,
  trainingModels,
  withoutModel,
  worstDigest,
  type TrainingGolden,
  type TrainingModel,
} from "./decoder-goldens.ts";

function modeOf({ targets }: TrainingGolden): TrainingMode {
  return targets === undefined ? { kind: "full" } : { kind: "lora", lora: { ...goldenLora, targetModules: targets } };
}

function build(
  name: TrainingModel,
  golden: TrainingGolden,
  recompute: RecomputationKind = "cheap",
): { program: Program; config: DecoderConfig; weights: WeightSource } {
  const file = openModel(modelPath(name));
  const config = readDecoderConfig(file.config, file.path);
  const { rows, length } = golden;
  const weights = locateDecoderWeights(config, file.weights, file.path);
  const program = gradientProgram({ config, weights, rows, length, mode: modeOf(golden) }, { recompute, accumulate: false });
  return { program, config, weights: file.weights };
}

/** The derivative of the first batch's loss by each trained weight. */
async function firstGradients(
  name: TrainingModel,
  golden: TrainingGolden,
  recompute: RecomputationKind = "cheap",
): Promise<Map<string, StateTensor>> {
  const { program, config, weights } = build(name, golden, recompute);
  const batch = goldenBatch(golden, 0);
  const { ids, targets, segments, positions } = batch;
  const feeds: Record<string, ElementArray> = Object.fromEntries(
    Object.entries({ ids, targets, segments, positions }).map(([part, values]) => [part, Int32Array.from(values)]),
  );
  feeds["scale"] = Float32Array.of(1 / targets.filter((target) => target >= 0).length);
  const named = liveNodes(program).filter(({ primitive }) => primitive === "parameter" || primitive === "weight");
  for (const { params, shape } of named) {
    const { name: weight } = params as { name: string };
    const length = shape.reduce((product, size) => product * size, 1);
    const data = weights.infos.has(weight) ? weights.readFloat32(weight) : new Float32Array(length);
    if (weight.includes("lora_")) goldenFactors(new Map([[weight, { shape, data }]]));
    feeds[weight] = data;
  }
  if (config.position.kind === "rotary") {
    const { cos, sin } = rotaryTables(config.position.rotary, config.headDim, config.contextLength);
    Object.assign(feeds, { "rotary.cos": cos, "rotary.sin": sin });
  }
  weights.close();
  const results = await runProgram(program, feeds);
  const gradients = Object.entries(results).filter(([output]) => output.startsWith("gradient:"));
  return new Map(
    gradients.map(([output, data]) => [output.slice("gradient:".length), { shape: [data.length], data: Float32Array.from(data) }]),
  );
}

/**
 * Names of the frozen weights that a product of the backward pass gives derivatives of, or goes through below the first
 * layer trained.
 */
function productsWith(program: Program, suffix: string): Node[] {
  const isWeight = (node: Node): boolean => node.primitive === "weight" && (node.params as { name: string }).name.endsWith(suffix);
  return liveNodes(program).filter((node) => node.primitive === "matmul" && node.inputs.some(isWeight));
}

describe("the gradients of a decoder", () => {
  for (const name of trainingModels) {
    for (const [kind, golden] of Object.entries(trainingGolden(name))) {
      test(`are PyTorch's for ${name} (${kind})`, { skip: withoutModel(name) }, async () => {
        const gradients = await firstGradients(name, golden);
        assert.deepEqual([...gradients.keys()].toSorted(), Object.keys(golden.gradients).toSorted());
        // What has no influence has a gradient of rounding errors, relative to nothing.
        const meant = Object.fromEntries(Object.entries(golden.gradients).filter(([, [norm]]) => norm! > 1e-9));
        const { name: worst, difference } = worstDigest(gradients, meant);
        assert.ok(difference < 1e-4, `${worst} differs by ${difference} of its norm`);
      });
    }
  }

  test("are the same to the bit when activations are computed anew", async () => {
    for (const golden of Object.values(trainingGolden("llama"))) {
      assert.deepEqual(await firstGradients("llama", golden, "all"), await firstGradients("llama", golden, "cheap"));
    }
  });

  test("need no product for frozen weights, and none below the first layer that is trained", () => {
    const golden = trainingGolden("llama").lora!;
    // Only the last layer's o_proj: forward through all, backward through that layer's MLP and the head alone.
    const { program, weights } = build("llama", { ...golden, targets: ["model.layers.1.self_attn.o_proj"] });
    weights.close();
    const count = (suffix: string): number => productsWith(program, suffix).length;
    assert.equal(count("layers.0.self_attn.q_proj.weight"), 1, "forward alone");
    assert.equal(count("layers.0.mlp.down_proj.weight"), 1, "forward alone");
    assert.equal(count("layers.1.self_attn.v_proj.weight"), 1, "forward alone");
    assert.equal(count("layers.1.self_attn.o_proj.weight"), 1, "its factors alone are trained, and nothing before it");
    assert.equal(count("layers.1.mlp.gate_proj.weight"), 2, "forward, and back to the residual stream");
    const ofFrozen = liveNodes(program).filter(({ primitive, shape }) => primitive === "matmul" && shape.join() === "64,32");
    assert.deepEqual(ofFrozen, [], "no derivative has the shape of a frozen weight of the MLP");
    const outputs = program.outputs.map((output) => output.name).filter((output) => output.startsWith("gradient:"));
    assert.deepEqual(
      outputs,
      ["B", "A"].map((factor) => `gradient:base_model.model.model.layers.1.self_attn.o_proj.lora_${factor}.weight`),
    );
  });
});
