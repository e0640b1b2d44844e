/**
 * @file The gradients of a reward loss over a BERT are PyTorch's, however its pairs lie in their rows, and a trained
 * program scores as the serving graph.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readBertConfig } from "../../../src/architectures/encoder/bert-config.ts";
import { locateBertWeights, type BertWeights } from "../../../src/architectures/encoder/bert-weights.ts";
import { checkTargets, type TrainingMode } from "../../../src/architectures/training/trained-weights.ts";
import { buildTrainingBert, type TrainingBert } from "../../../src/architectures/training/training-bert.ts";
import { gradients } from "../../../src/autodiff/gradients.ts";
import { liveNodes } from "../../../src/autodiff/live-nodes.ts";
import * as o from "../../../src/autodiff/operations.ts";
import type { RecomputationKind } from "../../../src/autodiff/recomputation.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import type { WeightSource } from "../../../src/formats/model-file.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import type { ElementArray } from "../../../src/onnx/data-type.ts";
import { runProgram } from "../../autodiff/run-program.ts";
import { worstDigest } from "../../training/model/decoder-goldens.ts";
import { bertGolden, bertPath, goldenBerts, type BertGolden, type GoldenBert } from "../bert-goldens.ts";
import { largestDifference } from "../goldens.ts";

/** Which of the golden's pairs lie in each row, and the rows' length. */
interface Layout {
  rows: readonly (readonly number[])[];
  length: number;
}

const apart: Layout = { rows: [[0], [1], [2], [3], [4], [5]], length: 24 };
const packed: Layout = { rows: [[2, 4], [0], [5, 1], [3]], length: 32 };

function open(
  name: GoldenBert,
  layout: Layout,
  mode: TrainingMode,
  dropout = false,
): TrainingBert & { weights: BertWeights; source: WeightSource } {
  const file = openModel(bertPath(name));
  const config = readBertConfig(file.config, file.path);
  const weights = locateBertWeights(config, file.weights, file.path, "classifier");
  const sizes = { rows: layout.rows.length, length: layout.length, documents: bertGolden(name).cases.length };
  return { ...buildTrainingBert({ config, weights, mode, ...sizes, dropout }), weights, source: file.weights };
}

/** Pairs side by side in their rows, then padding. */
function tokenFeeds({ cases }: BertGolden, { rows, length }: Layout): Record<string, ElementArray> {
  const places = rows.length * length;
  const feeds = {
    ids: new Int32Array(places),
    types: new Int32Array(places),
    positions: new Int32Array(places),
    segments: new Int32Array(places).fill(-1),
    starts: new Int32Array(cases.length),
  };
  for (const [row, pairs] of rows.entries()) {
    let at = row * length;
    for (const pair of pairs) {
      const { ids, types } = cases[pair]!;
      assert.ok(at + ids.length <= (row + 1) * length, "the layout holds its pairs");
      feeds.starts[pair] = at;
      feeds.ids.set(ids, at);
      feeds.types.set(types, at);
      feeds.segments.fill(pair, at, at + ids.length);
      for (let place = 0; place < ids.length; place++) feeds.positions[at++] = place;
    }
  }
  return feeds;
}

/**
 * The oracle's loss: Bradley and Terry's with centring over weighted outputs, of which even rows are chosen and odd
 * ones rejected.
 */
function addLoss({ program, logits, parameters }: TrainingBert, golden: BertGolden, recompute: RecomputationKind): void {
  const scores = o.reshape(o.matmul(logits, program.input("weights", "float32", [golden.training.weights.length, 1])), [
    logits.shape[0]! / 2,
    2,
  ]);
  const [chosen, rejected] = [o.slice(scores, 1, 0, 1), o.slice(scores, 1, 1, 2)];
  const sum = o.add(chosen, rejected);
  const losses = o.add(o.neg(o.log(o.sigmoid(o.sub(chosen, rejected)))), o.mul(o.mul(sum, sum), 0.1));
  const loss = o.mul(o.sumAll(losses), 2 / logits.shape[0]!);
  program.output("loss", loss);
  program.output("logits", logits);
  gradients(program, loss, [...parameters.values()], { recompute }).forEach((gradient, at) =>
    program.output(`gradient:${[...parameters.keys()][at]}`, gradient),
  );
}

/** What the program gives with the model's weights; factors are of a formula, so that they are not zero. */
async function results(
  bert: TrainingBert & { source: WeightSource },
  golden: BertGolden,
  layout: Layout,
  more: Record<string, ElementArray> = {},
): Promise<Record<string, number[]>> {
  const feeds: Record<string, ElementArray> = {
    ...tokenFeeds(golden, layout),
    weights: Float32Array.from(golden.training.weights),
    ...more,
  };
  for (const { primitive, params, shape } of liveNodes(bert.program)) {
    if (primitive !== "parameter" && primitive !== "weight") continue;
    const { name } = params as { name: string };
    const stored = name.replace(/^base_model\.model\./, "");
    const size = shape.reduce((product, length) => product * length, 1);
    feeds[name] = bert.source.infos.has(stored)
      ? bert.source.readFloat32(stored)
      : Float32Array.from({ length: size }, (_, at) => 0.1 * Math.cos(at * 0.37 + name.length));
  }
  bert.source.close();
  return runProgram(bert.program, feeds);
}

async function trained(name: GoldenBert, layout: Layout, recompute: RecomputationKind = "cheap"): Promise<Record<string, number[]>> {
  const golden = bertGolden(name);
  const bert = open(name, layout, { kind: "full" });
  addLoss(bert, golden, recompute);
  return results(bert, golden, layout);
}

describe("a BERT under training", () => {
  for (const name of goldenBerts) {
    for (const [kind, layout] of Object.entries({ apart, packed })) {
      test(`has PyTorch's logits, loss and gradients, its pairs ${kind}: ${name}`, async () => {
        const golden = bertGolden(name);
        const found = await trained(name, layout);
        assert.ok(
          largestDifference(
            found["logits"]!,
            golden.cases.flatMap((row) => row.logits),
          ) < 1e-5,
        );
        assert.ok(Math.abs(found["loss"]![0]! - golden.training.loss) < 1e-6);
        const gradient = Object.entries(found).filter(([output]) => output.startsWith("gradient:"));
        const tensors = new Map(
          gradient.map(([output, data]) => [output.slice(9), { shape: [data.length], data: Float32Array.from(data) }]),
        );
        assert.deepEqual([...tensors.keys()].toSorted(), Object.keys(golden.training.gradients).toSorted());
        // A key's bias adds the same to all scores of a query, which softmax ignores: rounding errors, relative to
        // nothing.
        const meant = Object.fromEntries(Object.entries(golden.training.gradients).filter(([, [size]]) => size! > 1e-9));
        const { name: worst, difference } = worstDigest(tensors, meant);
        assert.ok(difference < 1e-4, `${worst} differs by ${difference} of its norm`);
      });
    }
  }

  test("has the same gradients to the bit when activations are computed anew", async () => {
    assert.deepEqual(await trained("classifier", packed, "all"), await trained("classifier", packed, "cheap"));
  });

  test("has linear layers that can be named as targets, and a name of none is refused with theirs", () => {
    const { weights } = open("classifier", apart, { kind: "full" });
    const lora = { rank: 2, alpha: 4, dropout: 0 };
    checkTargets({ ...lora, targetModules: ["query", "attention.output.dense", "bert.encoder.layer.1.output.dense"] }, weights);
    assert.throws(
      () => checkTargets({ ...lora, targetModules: ["q_proj"] }, weights),
      (error) => error instanceof BonsaiError && error.code === "usage" && /"q_proj".* are query, key, value, dense/.test(error.message),
    );
  });

  test("trains factors and the classifier alone under LoRA, by PEFT's names", async () => {
    const golden = bertGolden("classifier");
    const mode: TrainingMode = { kind: "lora", lora: { rank: 2, alpha: 4, dropout: 0, targetModules: ["query", "value"] } };
    const bert = open("classifier", apart, mode);
    addLoss(bert, golden, "cheap");
    const layers = [0, 1].flatMap((layer) => ["query", "value"].map((part) => `bert.encoder.layer.${layer}.attention.self.${part}`));
    assert.deepEqual(
      [...bert.parameters.keys()].toSorted(),
      [
        ...layers.flatMap((module) => ["A", "B"].map((factor) => `base_model.model.${module}.lora_${factor}.weight`)),
        "base_model.model.classifier.bias",
        "base_model.model.classifier.weight",
      ].toSorted(),
    );
    const found = await results(bert, golden, apart);
    for (const name of bert.parameters.keys())
      assert.ok(
        found[`gradient:${name}`]!.some((value) => Math.abs(value) > 1e-6),
        name,
      );
  });

  test("drops hidden states in training by the run's seed, and nothing in evaluation", async () => {
    const golden = bertGolden("classifier");
    const logits = async (dropout: boolean, seed: number): Promise<number[]> => {
      const bert = open("classifier", apart, { kind: "full" }, dropout);
      bert.program.output("logits", bert.logits);
      return (await results(bert, golden, apart, { dropout_seed: Int32Array.of(seed, 1) }))["logits"]!;
    };
    const [first, again, other, without] = [await logits(true, 1), await logits(true, 1), await logits(true, 2), await logits(false, 1)];
    assert.deepEqual(first, again);
    assert.ok(largestDifference(first, other) > 1e-3);
    assert.ok(
      largestDifference(
        without,
        golden.cases.flatMap((row) => row.logits),
      ) < 1e-5,
    );
  });
});
