/** @file A decoder under training takes PyTorch's steps, and gives the same whatever way the same work is cut. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { readDecoderConfig, type DecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { decoderWeightShapes } from "../../../src/architectures/decoder/decoder-weights.ts";
import type { TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import type { WeightSource } from "../../../src/formats/model-file.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { quantizeBlocks8 } from "../../../src/tensor/quantize.ts";
import { initialDecoderWeights } from "../../../src/training/model/decoder-initial-weights.ts";
import type { EvaluationSums, TokenBatch, TrainableModel, TrainStep } from "../../../src/training/run/trainable-model.ts";
import { assertClose } from "../../autodiff/assert-close.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import {
  goldenBatch,
  goldenLearningRate,
  goldenLora,
  goldenOptions,
  goldenSgdLearningRate,
  modelPath,
  trainingGolden,
  trainingModels,
  withoutInfluence,
  withoutModel,
  worstDigest,
  type TrainingGolden,
  type TrainingModel,
} from "./decoder-goldens.ts";
import { createGolden } from "./golden-decoder.ts";

interface Steps {
  changes?: Parameters<typeof createGolden>[2];
  learningRate?: number;
  /** The batches that a step accumulates; by default one with all rows. */
  cut?: (batch: TokenBatch) => TokenBatch[];
}

/** Takes the golden's steps, compares them with its own, and returns the weights that they lead to. */
async function takesPyTorchsSteps(
  name: TrainingModel,
  golden: TrainingGolden,
  { changes, learningRate = goldenLearningRate, cut = (batch) => [batch] }: Steps = {},
): Promise<Map<string, Float32Array>> {
  const model = await createGolden(name, golden, changes);
  const losses: number[] = [];
  const norms: number[] = [];
  for (const step of golden.batches.keys()) {
    const { loss, gradNorm } = await model.step(cut(goldenBatch(golden, step)), learningRate);
    losses.push(loss);
    norms.push(gradNorm);
  }
  const moved = Object.fromEntries(Object.entries(golden.weights).filter(([weight]) => !withoutInfluence.test(weight)));
  const { name: worst, difference } = worstDigest(model.trainedWeights(), moved);
  const end = new Map([...model.trainedWeights()].map(([weight, { data }]) => [weight, data]));
  await model.dispose();
  assertClose(losses, golden.losses, 1e-4, "losses");
  assertClose(norms, golden.norms, 1e-4, "gradient norms");
  assert.ok(difference < 1e-4, `${worst} differs by ${difference} of its norm`);
  return end;
}

describe("a decoder under training", () => {
  for (const name of trainingModels) {
    test(`takes PyTorch's steps of AdamW on ${name}`, { skip: withoutModel(name) }, async () => {
      await takesPyTorchsSteps(name, trainingGolden(name).full);
    });
    const { lora, accumulated } = trainingGolden(name);
    if (lora !== undefined) test(`takes peft's steps of LoRA on ${name}`, async () => void (await takesPyTorchsSteps(name, lora)));
    if (accumulated !== undefined)
      test(`takes PyTorch's accumulated steps on ${name}: 8 batches of 1 row are 1 of 8`, { skip: withoutModel(name) }, async () => {
        const byRow = await takesPyTorchsSteps(name, accumulated, { changes: { rows: 1 }, cut: rowsOf });
        const atOnce = await takesPyTorchsSteps(name, accumulated);
        // Sums of other orders differ in their last bits, which Adam makes larger where a gradient is next to nothing.
        for (const [weight, data] of atOnce) assertClose(byRow.get(weight)!, data, 3e-5, weight);
      });
  }

  test("takes PyTorch's steps of SGD, and remembers nothing between them but their number", async () => {
    const golden = trainingGolden("llama").sgd!;
    const optimizer = { kind: "sgd", momentum: 0, weightDecay: goldenOptions.weightDecay } as const;
    await takesPyTorchsSteps("llama", golden, { changes: { optimizer }, learningRate: goldenSgdLearningRate });
    const model = await createGolden("llama", golden, { optimizer });
    assert.deepEqual([...model.state().keys()].toSorted(), ["step", ...model.trainedWeights().keys()].toSorted());
    await model.dispose();
  });

  test("takes the same step whether the batch comes at once, row by row, or short of rows", async () => {
    const golden = trainingGolden("llama").full;
    const whole = await createGolden("llama", golden);
    const byRow = await createGolden("llama", golden, { rows: 1 });
    const roomy = await createGolden("llama", golden, { rows: 3 });
    for (const step of golden.batches.keys()) {
      const batch = goldenBatch(golden, step);
      const results = [
        await whole.step([batch], goldenLearningRate),
        await byRow.step(rowsOf(batch), goldenLearningRate),
        await roomy.step([batch], goldenLearningRate),
      ];
      for (const part of Object.keys(results[0]!) as (keyof TrainStep)[]) {
        for (const result of results) assertClose([result[part]], [results[0]![part]], 3e-6, part);
      }
    }
    for (const [name, { data }] of whole.trainedWeights()) {
      assertClose(byRow.trainedWeights().get(name)!.data, data, 3e-6, name);
      assertClose(roomy.trainedWeights().get(name)!.data, data, 3e-6, name);
    }
    for (const model of [whole, byRow, roomy]) await model.dispose();
  });

  test("sees documents that are packed in one row as it sees each alone", async () => {
    const golden = trainingGolden("qwen3").full;
    const model = await createGolden("qwen3", golden);
    const batch = goldenBatch(golden, 0);
    const packed = await model.evaluate(batch);
    const alone = { loss: 0, correct: 0, trainedTokens: 0 };
    for (const document of documentsOf(batch)) {
      const sums = await model.evaluate(document);
      for (const part of Object.keys(alone) as (keyof EvaluationSums)[]) alone[part] += sums[part];
    }
    await model.dispose();
    assert.equal(packed.trainedTokens, alone.trainedTokens);
    assert.equal(packed.correct, alone.correct);
    assertClose([packed.loss], [alone.loss], 1e-6, "loss");
  });

  test("begins LoRA as the base, to the bit", async () => {
    const golden = trainingGolden("llama").full;
    const base = await createGolden("llama", golden);
    const lora = await createGolden("llama", golden, {
      mode: { kind: "lora", lora: { ...goldenLora, targetModules: ["q_proj", "down_proj"] } },
    });
    const batch = goldenBatch(golden, 0);
    assert.deepEqual(await lora.evaluate(batch), await base.evaluate(batch));
    const names = [...lora.trainedWeights().keys()];
    assert.ok(names.includes("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"));
    const factor = lora.trainedWeights().get("base_model.model.model.layers.1.mlp.down_proj.lora_A.weight")!;
    assert.deepEqual(factor.shape, [4, 64]);
    const bound = 1 / Math.sqrt(64);
    const deviation = Math.sqrt(factor.data.reduce((sum, value) => sum + value ** 2, 0) / factor.data.length);
    assert.ok(
      factor.data.every((value) => Math.abs(value) <= bound),
      "Kaiming's bound",
    );
    assertClose([deviation], [bound / Math.sqrt(3)], 0.1, "deviation of the uniform distribution");
    await base.dispose();
    await lora.dispose();
  });

  test("goes on from its state bit for bit, dropout included", async () => {
    const golden = trainingGolden("llama").lora!;
    const mode: TrainingMode = { kind: "lora", lora: { ...goldenLora, dropout: 0.3, targetModules: golden.targets! } };
    const first = await createGolden("llama", golden, { mode, seed: 7 });
    const steps = async (model: TrainableModel, from: number, to: number): Promise<TrainStep[]> => {
      const taken: TrainStep[] = [];
      for (let step = from; step < to; step++) taken.push(await model.step(rowsTwice(goldenBatch(golden, step)), goldenLearningRate));
      return taken;
    };
    await steps(first, 0, 2);
    const state = new Map([...first.state()].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
    const expected = await steps(first, 2, 5);
    const second = await createGolden("llama", golden, { mode, seed: 7 });
    second.restore(state);
    assert.deepEqual(await steps(second, 2, 5), expected);
    assert.deepEqual(second.state(), first.state());
    const other = await createGolden("llama", golden, { mode, seed: 8 });
    other.restore(state);
    assert.notDeepEqual(await steps(other, 2, 3), expected.slice(0, 1), "another seed drops others");
    for (const model of [first, second, other]) await model.dispose();
  });

  test("refuses a state that is not its own, and changes nothing", async () => {
    const golden = trainingGolden("llama").full;
    const model = await createGolden("llama", golden);
    const before = new Map([...model.state()].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
    const without = new Map(before);
    without.delete("exp_avg.model.norm.weight");
    const reshaped = new Map(before).set("model.norm.weight", { shape: [1, 32], data: new Float32Array(32) });
    const names = (state: typeof before, pattern: RegExp): void =>
      assert.throws(
        () => model.restore(state),
        (error: unknown) => error instanceof BonsaiError && error.code === "invalid_model_file" && pattern.test(error.message),
      );
    names(without, /"exp_avg\.model\.norm\.weight" is missing/);
    names(reshaped, /"model\.norm\.weight" has the shape \[1, 32\], not \[32\]/);
    assert.deepEqual(model.state(), before);
    await model.dispose();
  });

  test("trains LoRA over a base in 8-bit blocks as over the numbers that these blocks stand for", async () => {
    const golden = trainingGolden("llama").lora!;
    const file = openModel(modelPath("llama"));
    const rounded = roundedToBlocks(file.weights, readDecoderConfig(file.config, file.path));
    const inBlocks = await createGolden("llama", golden, { baseBits: 8 });
    const inFloats = await createGolden("llama", golden, {}, rounded);
    for (const step of golden.batches.keys()) {
      const batch = goldenBatch(golden, step);
      const [blocks, floats] = [await inBlocks.step([batch], goldenLearningRate), await inFloats.step([batch], goldenLearningRate)];
      assertClose([blocks.loss], [floats.loss], 1e-5, "loss");
      assertClose([blocks.gradNorm], [floats.gradNorm], 1e-5, "gradient norm");
      assert.notEqual(blocks.loss, golden.losses[step], "blocks are not the model's own numbers");
    }
    file.weights.close();
    await inBlocks.dispose();
    await inFloats.dispose();
  });

  test("drops the share of LoRA's inputs that it is told to, anew at every step, and none in evaluation", async () => {
    const golden = trainingGolden("llama").lora!;
    const dropping = await createGolden("llama", golden, {
      mode: { kind: "lora", lora: { ...goldenLora, dropout: 0.5, targetModules: golden.targets! } },
    });
    const plain = await createGolden("llama", golden);
    const batch = goldenBatch(golden, 0);
    assert.deepEqual(await dropping.evaluate(batch), await plain.evaluate(batch));
    const losses: number[] = [];
    for (let step = 0; step < 3; step++) losses.push((await dropping.step([batch], 0)).loss);
    assert.equal(new Set([...losses, (await plain.step([batch], 0)).loss]).size, 4);
    await dropping.dispose();
    await plain.dispose();
  });

  test("learns a batch by heart from weights of its own drawing", async () => {
    const golden = trainingGolden("gpt2").full;
    const file = openModel(modelPath("gpt2"));
    const config = readDecoderConfig(file.config, file.path);
    file.weights.close();
    const model = await createGolden("gpt2", golden, { maxGradNorm: 1 }, initialDecoderWeights(config, 3));
    const batch = goldenBatch(golden, 0);
    const first = await model.step([batch], 1e-2);
    assertClose([first.loss], [Math.log(config.vocabSize)], 0.02, "the loss of knowing nothing");
    assertClose([first.entropy], [Math.log(config.vocabSize)], 0.02, "the entropy of knowing nothing");
    for (let step = 0; step < 60; step++) await model.step([batch], 1e-2);
    const last = await model.evaluate(batch);
    assert.equal(last.correct, last.trainedTokens);
    await model.dispose();
  });

  test("keeps its weights where a step's loss is no number, and says so by its result", async () => {
    const golden = trainingGolden("llama").full;
    const model = await createGolden("llama", golden, { maxGradNorm: undefined });
    const batch = goldenBatch(golden, 0);
    await model.step([batch], 1e30);
    const spoilt = new Map([...model.trainedWeights()].map(([name, { data }]) => [name, data.slice()]));
    const { loss, gradNorm } = await model.step([batch], 1e30);
    assert.ok(!Number.isFinite(loss) || !Number.isFinite(gradNorm), `${loss}, ${gradNorm}`);
    for (const [name, { data }] of model.trainedWeights()) assert.deepEqual(data, spoilt.get(name), name);
    await model.dispose();
  });

  test("draws matrices of the deviation that is given", () => {
    const file = openModel(modelPath("llama"));
    file.weights.close();
    const config = readDecoderConfig(file.config, file.path);
    const name = "model.embed_tokens.weight";
    const [usual, wide] = [initialDecoderWeights(config, 3), initialDecoderWeights(config, 3, 0.04)].map((source) =>
      source.readFloat32(name),
    );
    assertClose(wide!, usual!.map((value) => 2 * value), 1e-6, name); // prettier-ignore
  });

  test("leaves no file behind, and none when it cannot be made", async () => {
    const golden = trainingGolden("llama").full;
    const folder = temporaryFolder();
    const model = await createGolden("llama", golden, { temporaryFolder: folder });
    assert.equal(readdirSync(folder).length, 1);
    await model.dispose();
    assert.deepEqual(readdirSync(folder), []);
    const mode: TrainingMode = { kind: "lora", lora: { ...goldenLora, targetModules: ["c_attn"] } };
    await assert.rejects(
      async () => createGolden("llama", golden, { temporaryFolder: folder, mode }),
      (error: unknown) => error instanceof BonsaiError && error.code === "usage" && /c_attn.*q_proj, k_proj/.test(error.message),
    );
    assert.deepEqual(readdirSync(folder), []);
  });
});

/** Each row as a batch of its own. */
function rowsOf(batch: TokenBatch): TokenBatch[] {
  const { rows, length } = batch;
  return Array.from({ length: rows }, (_, row) => partOf(batch, row * length, (row + 1) * length));
}

/** The batch, and then it again: a step of two batches. */
function rowsTwice(batch: TokenBatch): TokenBatch[] {
  return [batch, batch];
}

/** Each document at the beginning of a row of its own. */
function documentsOf(batch: TokenBatch): TokenBatch[] {
  const starts = [...batch.positions.keys()].filter((at) => batch.positions[at] === 0);
  return starts.map((start, index) => partOf(batch, start, starts[index + 1] ?? batch.ids.length));
}

function partOf({ length, ids, targets, segments, positions }: TokenBatch, start: number, end: number): TokenBatch {
  const part = (values: Int32Array, padding: number): Int32Array => {
    const row = new Int32Array(length).fill(padding);
    row.set(values.subarray(start, end));
    return row;
  };
  return { rows: 1, length, ids: part(ids, 0), targets: part(targets, -1), segments: part(segments, -1), positions: part(positions, 0) };
}

/** The model with its layers' matrices as 8-bit blocks give them back. */
function roundedToBlocks(source: WeightSource, config: DecoderConfig): WeightSource {
  const inLayers = /^model\.layers\..*_proj\.weight$/;
  const readFloat32 = (name: string): Float32Array<ArrayBuffer> => {
    const values = source.readFloat32(name);
    if (!inLayers.test(name)) return values;
    const [outputs, inputs] = decoderWeightShapes(config).get(name) as [number, number];
    const { data, scales } = quantizeBlocks8(values, outputs, inputs);
    const blockSize = (outputs * inputs) / scales.length;
    return values.map((_, at) => (data[at]! - 128) * scales[Math.floor(at / blockSize)]!);
  };
  return { ...source, infos: source.infos, readRaw: (name) => source.readRaw(name), readFloat32, close: () => {} };
}
