/**
 * @file Whole trainings of tiny reward models of every form: they learn, others load what they leave, and cutting the
 * work in pieces changes no byte.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { RewardSchema } from "../../../src/config/reward-training-options.ts";
import { EncoderScorer } from "../../../src/engine/scoring/encoder-scorer.ts";
import { mergeAdapter } from "../../../src/formats/merged-adapter.ts";
import type { WeightSource } from "../../../src/formats/model-file.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { readPeftAdapter } from "../../../src/formats/peft-adapter.ts";
import { readScoreFile } from "../../../src/formats/safetensors/score-weight.ts";
import { normalized } from "../../../src/reward/normalization.ts";
import { readRewardConfig } from "../../../src/reward/reward-config.ts";
import { PairEncoder } from "../../../src/text/tokenizer/encode-pair.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { DecoderAnswerEncoder, PairAnswerEncoder } from "../../../src/training/reward/answer-encoders.ts";
import { readComparisons, type AnswerEncoder } from "../../../src/training/reward/comparisons.ts";
import { readMetricLines } from "../../../src/training/run/metrics-file.ts";
import { trainRewardModel } from "../../../src/training/reward/task.ts";
import type { RunOutcome } from "../../../src/training/run/training-loop.ts";
import { assertRejected } from "../../formats/expect-error.ts";
import { goldenPath, largestDifference } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { runOracle, withoutPyTorch } from "../../fixtures/python-oracle.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { soundLists, soundPairs, soundPairsByDimension } from "../preference/preference-rows.ts";
import { runByWords } from "../run/run-by-words.ts";
import { writeJsonLines } from "../data/sound-rows.ts";

const root = temporaryFolder();
const llama = goldenPath("llama");
const bert = fileURLToPath(new URL("../../oracle/bert/classifier", import.meta.url));
const pairs = writeJsonLines(join(root, "pairs.jsonl"), soundPairs());
const byDimension = writeJsonLines(join(root, "dimensions.jsonl"), soundPairsByDimension());
const lists = writeJsonLines(join(root, "lists.jsonl"), soundLists());

const servingOptions = {
  quantization: "fp32" as const,
  threads: 1,
  spinning: false,
  maxRows: 64,
  kvCacheBytes: 2 ** 26,
  cacheDir: join(root, "cache"),
  maxCacheBytes: 2 ** 40,
  log: (): void => {},
};

interface Run {
  data?: string;
  /** Held-out rows; default the data themselves. */
  heldOut?: string;
  /** Ends the run after this step. */
  stopAfter?: number;
  log?: (line: string) => void;
}

/** A training by the words of its command line, in the output folder `name`. */
async function run(name: string, words: string, { data = pairs, heldOut = data, stopAfter, log }: Run = {}): Promise<RunOutcome> {
  const shared = ["--dataset", data, "--eval-dataset", heldOut, "--output-dir", join(root, name), "--eval-steps", "0"];
  return runByWords(RewardSchema, [...shared, ...words.split(" ")], trainRewardModel, { stopAfter, log });
}

function evaluations(name: string): readonly Record<string, number>[] {
  return readMetricLines(join(root, name, "metrics.jsonl")).evaluations;
}

/** Ids and types of all answers of a file of pairs, in order; pairs of equal answers are left out, as in training. */
function encodedAnswers(file: string, encoder: AnswerEncoder, maxLength = 256): { rows: number[][]; types: number[][] } {
  const { comparisons } = readComparisons([file], encoder, ["reward"], maxLength);
  const encoded = comparisons.flatMap(({ answers }) => answers);
  return { rows: encoded.map(({ ids }) => [...ids]), types: encoded.map(({ types = [] }) => [...types]) };
}

/** What the reference library computes: outputs by answer. */
interface Loaded {
  alone: number[][];
  padded: number[][] | null;
  names: string[];
  type: string;
}

/**
 * Checks that these outputs of all answers have mean 0 and deviation 1 on the folder's own scale, as a whole and by
 * dimension.
 */
function assertScaled(name: string, outputs: readonly (readonly number[])[]): void {
  const reward = readRewardConfig(join(root, name));
  const rewards = outputs.map((row) => normalized(reward, row, ""));
  const columns = [rewards.map((one) => one.reward), ...reward.dimensions.map((_, index) => rewards.map((one) => one.dimensions[index]!))];
  for (const column of columns) {
    const mean = column.reduce((sum, value) => sum + value, 0) / column.length;
    const deviation = Math.sqrt(column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / column.length);
    assert.ok(Math.abs(mean) < 1e-3 && Math.abs(deviation - 1) < 1e-3, `mean ${mean}, deviation ${deviation}`);
  }
}

/** The outputs of the slow twin: weights [D, H] over its hidden states at the ends. */
function naiveOutputs(weights: WeightSource, rows: readonly number[][], score: Float32Array, bias: Float32Array | undefined): number[][] {
  const base = openModel(llama);
  base.weights.close();
  const config = readDecoderConfig(base.config, base.path);
  const naive = new NaiveDecoder(config, weights);
  return rows.map((ids) => {
    const hidden = naive.hidden(ids).at(-1)!;
    return Array.from({ length: score.length / config.hiddenSize }, (_, output) =>
      hidden.reduce((sum, value, at) => sum + value * score[output * config.hiddenSize + at]!, bias?.[output] ?? 0),
    );
  });
}

function assertSameOutputs(actual: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void {
  assert.equal(actual.length, expected.length);
  assert.ok(
    largestDifference(actual.flat(), expected.flat()) < 1e-3,
    `they differ by ${largestDifference(actual.flat(), expected.flat())}`,
  );
}

const encoderOf = (readsEnd: boolean): DecoderAnswerEncoder => {
  const model = openModel(llama);
  model.weights.close();
  return new DecoderAnswerEncoder(model, readsEnd);
};

describe("a decoder with a score, all weights", () => {
  const words = `--model ${llama} --learning-rate 3e-3 --max-steps 50 --packing --batch-size 4 --lr-scheduler-type constant`;

  test("learns which answer is better, and says so by TRL's names", async () => {
    await run("full", words);
    const [before, after] = evaluations("full") as [Record<string, number>, Record<string, number>];
    assert.ok(after["eval_accuracy"]! > 0.9 && after["eval_loss"]! < before["eval_loss"]! - 0.2, JSON.stringify(after));
    const { steps } = readMetricLines(join(root, "full", "metrics.jsonl"));
    assert.deepEqual(
      Object.keys(steps[0]!),
      "step epoch loss grad_norm learning_rate accuracy margin min_reward mean_reward max_reward num_tokens".split(" "),
    );
    assert.ok(steps.every((line) => line["min_reward"]! <= line["mean_reward"]! && line["mean_reward"]! <= line["max_reward"]!));
  });

  test("leaves a folder that the slow twin reads as its scale says", () => {
    const model = openModel(join(root, "full"));
    assert.deepEqual(model.config["architectures"], ["LlamaForSequenceClassification"]);
    const { rows } = encodedAnswers(pairs, encoderOf(true));
    assertScaled("full", naiveOutputs(model.weights, rows, model.weights.readFloat32("score.weight"), undefined));
    model.weights.close();
  });

  test("leaves a folder that transformers loads, with the same rewards, alone and padded", { skip: withoutPyTorch }, () => {
    const { rows } = encodedAnswers(pairs, encoderOf(true));
    const found = runOracle("load-reward.py", "model", join(root, "full"), JSON.stringify({ rows })) as Loaded;
    assert.deepEqual([found.type, found.names], ["LlamaForSequenceClassification", ["reward"]]);
    assertScaled("full", found.alone);
    assertSameOutputs(found.padded!, found.alone);
  });

  test("leaves the card, the curves and the record of the run", () => {
    const read = (name: string): string => readFileSync(join(root, "full", name), "utf8");
    assert.match(read("README.md"), /tags: \[bonsai, reward-model\][^]*\| held out, after 50 steps \|[^]*\| reward \| 1 \|[^]*120 answers/);
    assert.match(read("curves.svg"), /^<svg[^]*label[^]*<\/svg>\n$/);
    const record = JSON.parse(read("training.json")) as { stage: string; reward: { dimensions: string[] }; data: { comparisons: number } };
    assert.deepEqual([record.stage, record.reward.dimensions, record.data.comparisons], ["reward", ["reward"], 60]);
  });

  test("ends with the same bytes when it is interrupted and goes on", async () => {
    for (const stopAfter of [4, 5, 19]) assert.equal((await run("pieces", `${words} --resume`, { stopAfter })).step, stopAfter);
    await run("pieces", `${words} --resume`);
    for (const file of ["model.safetensors", "reward.json", "metrics.jsonl", "config.json", "checkpoints/step-50/state.safetensors"])
      assert.ok(readFileSync(join(root, "pieces", file)).equals(readFileSync(join(root, "full", file))), file);
  });

  test("goes on only with what it began with", async () => {
    await assertRejected(
      run("full", `${words} --resume --center-rewards-coefficient 0.01`),
      "usage",
      /--center-rewards-coefficient was 0 .* is 0\.01 now/,
    );
    await assertRejected(run("full", `${words} --resume --loss-type plackett-luce`), "usage", /--loss-type was "bradley-terry"/);
    await assertRejected(run("full", words), "usage", /holds a run or a model already/);
  });

  test("is drawn to rewards around zero by centring", async () => {
    await run("centred", `${words} --center-rewards-coefficient 1`);
    const [centred, free] = ["centred", "full"].map((name) => evaluations(name).at(-1)!) as [
      Record<string, number>,
      Record<string, number>,
    ];
    assert.ok(Math.abs(centred["eval_mean_reward"]!) < 0.1, `${centred["eval_mean_reward"]} and ${free["eval_mean_reward"]}`);
    assert.ok(centred["eval_accuracy"]! > 0.8);
  });

  test("measures held-out rows alike, however they lie in rows and batches", async () => {
    const at = async (name: string, how: string): Promise<Record<string, number>> => {
      await run(name, `--model ${llama} --max-steps 1 ${how}`);
      return evaluations(name)[0]!;
    };
    const [one, packed] = [await at("one-each", "--batch-size 3"), await at("packed", "--packing --batch-size 2")];
    assert.ok(Math.abs(one["eval_loss"]! - packed["eval_loss"]!) < 1e-5);
    assert.equal(one["eval_accuracy"], packed["eval_accuracy"]);
  });
});

describe("a decoder with a score, by LoRA", () => {
  const words = `--model ${llama} --learning-rate 1e-2 --lora-r 8 --lora-dropout 0.1 --max-steps 80 --packing --batch-size 8 --dimensions right --dimensions short --dimension-weights 0.8 --dimension-weights 0.2`;

  test("learns two dimensions and their weighted sum", async () => {
    await run("lora", words, { data: byDimension });
    const [before, after] = evaluations("lora") as [Record<string, number>, Record<string, number>];
    for (const metric of ["eval_accuracy", "eval_accuracy/right", "eval_accuracy/short"])
      assert.ok(after[metric]! > 0.85, `${metric} ${before[metric]} to ${after[metric]}`);
    assert.match(readFileSync(join(root, "lora", "README.md"), "utf8"), /library_name: peft[^]*\| right \| 0\.8 \|[^]*\| holistic \|/);
  });

  test("leaves an adapter that the slow twin reads as its scale says", () => {
    const adapter = readPeftAdapter(join(root, "lora"), "llama");
    assert.deepEqual([adapter.score!.outputs, adapter.baseModel, adapter.pairs.size], [2, llama, 14]);
    const base = openModel(llama);
    const { rows } = encodedAnswers(byDimension, encoderOf(true));
    assertScaled(
      "lora",
      naiveOutputs(mergeAdapter(base.weights, { ...adapter, score: undefined }), rows, adapter.score!.weight, undefined),
    );
    base.weights.close();
  });

  test("leaves an adapter that peft loads, with the same rewards", { skip: withoutPyTorch }, () => {
    const { rows } = encodedAnswers(byDimension, encoderOf(true));
    const found = runOracle("load-reward.py", "adapter", `${llama}:2`, join(root, "lora"), JSON.stringify({ rows })) as Loaded;
    assert.equal(found.type, "PeftModelForSequenceClassification");
    assertScaled("lora", found.alone);
  });

  test("ends with the same bytes when it is interrupted and goes on, dropout included", async () => {
    await run("lora-pieces", words, { data: byDimension, stopAfter: 7 });
    await run("lora-pieces", `${words} --resume`, { data: byDimension });
    for (const file of ["adapter_model.safetensors", "metrics.jsonl", "reward.json"])
      assert.ok(readFileSync(join(root, "lora-pieces", file)).equals(readFileSync(join(root, "lora", file))), file);
  });

  test("begins with an adapter on disk, under a new score", async () => {
    const made = join(llama, "../../adapters/llama");
    await run("further", `--model ${llama} --adapter ${made} --max-steps 1`);
    const adapter = readPeftAdapter(join(root, "further"), "llama");
    assert.deepEqual([adapter.rank, adapter.pairs.size, adapter.score!.outputs], [2, 6, 1]);
  });
});

describe("a score over a policy's hidden states", () => {
  const words = `--model ${llama} --form policy-head --learning-rate 3e-2 --max-steps 60`;

  test("learns while the policy stays, whose name and hash it leaves", async () => {
    await run("head", words);
    const [before, after] = evaluations("head") as [Record<string, number>, Record<string, number>];
    assert.ok(
      after["eval_loss"]! < before["eval_loss"]! - 0.05 && after["eval_accuracy"]! > before["eval_accuracy"]!,
      JSON.stringify(after),
    );
    const policy = openModel(llama);
    assert.equal(readRewardConfig(join(root, "head")).policy!.sha256, policy.contentHash);
    policy.weights.close();
  });

  test("reads the state at the answer's last token, as the slow twin does", () => {
    const { weight, bias } = readScoreFile(join(root, "head"));
    const base = openModel(llama);
    const { rows } = encodedAnswers(pairs, encoderOf(false));
    const whole = encodedAnswers(pairs, encoderOf(true)).rows;
    assert.ok(rows.every((ids, index) => ids.length < whole[index]!.length && ids.every((id, at) => id === whole[index]![at])));
    assertScaled("head", naiveOutputs(base.weights, rows, weight, bias));
    base.weights.close();
  });

  test("is what transformers computes over the policy's last hidden state", { skip: withoutPyTorch }, () => {
    const { rows } = encodedAnswers(pairs, encoderOf(false));
    const found = runOracle("load-reward.py", "head", llama, join(root, "head"), JSON.stringify({ rows })) as Loaded;
    assertScaled("head", found.alone);
  });

  test("ends with the same bytes when it is interrupted and goes on", async () => {
    await run("head-pieces", words, { stopAfter: 31 });
    await run("head-pieces", `${words} --resume`);
    for (const file of ["score.safetensors", "metrics.jsonl", "config.json"])
      assert.ok(readFileSync(join(root, "head-pieces", file)).equals(readFileSync(join(root, "head", file))), file);
  });

  test("may be over a policy that is an adapter", async () => {
    const made = join(llama, "../../adapters/llama");
    await run("head-adapter", `${words} --adapter ${made} --max-steps 2`.replace("--max-steps 60 ", ""));
    const base = openModel(llama);
    const merged = mergeAdapter(base.weights, readPeftAdapter(made, "llama"));
    const { weight, bias } = readScoreFile(join(root, "head-adapter"));
    assertScaled("head-adapter", naiveOutputs(merged, encodedAnswers(pairs, encoderOf(false)).rows, weight, bias));
    assert.notEqual(readRewardConfig(join(root, "head-adapter")).policy!.sha256, base.contentHash);
    base.weights.close();
  });
});

describe("an encoder with a classifier", () => {
  const words = `--model ${bert} --learning-rate 3e-3 --max-steps 40 --max-length 40 --dimensions right --dimensions short`;

  test("learns from pairs of texts", async () => {
    await run("encoder", words, { data: byDimension });
    const [before, after] = evaluations("encoder") as [Record<string, number>, Record<string, number>];
    assert.ok(after["eval_loss"]! < before["eval_loss"]! - 0.05, `${before["eval_loss"]} to ${after["eval_loss"]}`);
  });

  test("leaves a folder that transformers loads, with the same rewards, alone and padded", { skip: withoutPyTorch }, () => {
    const model = openModel(bert);
    model.weights.close();
    const encoder = new PairAnswerEncoder(new PairEncoder(new Tokenizer(model.tokenizer), model.tokenizer));
    const given = encodedAnswers(byDimension, encoder, 40);
    const found = runOracle("load-reward.py", "model", join(root, "encoder"), JSON.stringify(given)) as Loaded;
    assert.deepEqual([found.type, found.names], ["BertForSequenceClassification", ["right", "short"]]);
    assertScaled("encoder", found.alone);
    assertSameOutputs(found.padded!, found.alone);
  });

  test("ends with the same bytes when it is interrupted and goes on", async () => {
    await run("encoder-pieces", words, { data: byDimension, stopAfter: 17 });
    await run("encoder-pieces", `${words} --resume`, { data: byDimension });
    for (const file of ["model.safetensors", "metrics.jsonl", "reward.json"])
      assert.ok(readFileSync(join(root, "encoder-pieces", file)).equals(readFileSync(join(root, "encoder", file))), file);
  });
});

describe("an encoder with a classifier, by LoRA", () => {
  const words = `--model ${bert} --learning-rate 1e-2 --lora-r 4 --lora-dropout 0.1 --max-steps 60 --max-length 40 --dimensions right --dimensions short`;
  const encoder = (): PairAnswerEncoder => {
    const model = openModel(bert);
    model.weights.close();
    return new PairAnswerEncoder(new PairEncoder(new Tokenizer(model.tokenizer), model.tokenizer));
  };

  test("learns from pairs of texts, the pooler among the layers that get factors", async () => {
    await run("encoder-lora", words, { data: byDimension });
    const [before, after] = evaluations("encoder-lora") as [Record<string, number>, Record<string, number>];
    assert.ok(after["eval_loss"]! < before["eval_loss"]! - 0.05, `${before["eval_loss"]} to ${after["eval_loss"]}`);
    const { score, pairs: factors } = readPeftAdapter(join(root, "encoder-lora"), "bert");
    assert.deepEqual([score!.outputs, score!.bias!.length, factors.size], [2, 2, 6 * 2 + 1]);
    assert.ok(factors.get("bert.pooler.dense")!.b.some((value) => value !== 0));
  });

  test(
    "leaves an adapter that peft loads and that is served over the encoder, with the same rewards",
    { skip: withoutPyTorch },
    async () => {
      const given = encodedAnswers(byDimension, encoder(), 40);
      const found = runOracle("load-reward.py", "adapter", `${bert}:2`, join(root, "encoder-lora"), JSON.stringify(given)) as Loaded;
      assert.equal(found.type, "PeftModelForSequenceClassification");
      assertScaled("encoder-lora", found.alone);
      const path = join(root, "encoder-lora");
      const scorer = await EncoderScorer.load({ ...servingOptions, id: "tuned", path, encoder: bert, reward: readRewardConfig(path) });
      const rows = given.rows.map((ids, index) => scorer.open({ ids, types: given.types[index]!, cutTokens: 0, promptTokens: 0 }));
      for (let left = rows; left.length > 0; left = rows.filter(({ outputs }) => outputs === undefined)) await scorer.advance(left);
      assertSameOutputs(
        rows.map(({ outputs }) => [...outputs!]),
        found.alone,
      );
      await scorer.dispose();
    },
  );

  test("ends with the same bytes when it is interrupted and goes on, dropout included", async () => {
    await run("encoder-lora-pieces", words, { data: byDimension, stopAfter: 23 });
    await run("encoder-lora-pieces", `${words} --resume`, { data: byDimension });
    for (const file of ["adapter_model.safetensors", "metrics.jsonl", "reward.json"])
      assert.ok(readFileSync(join(root, "encoder-lora-pieces", file)).equals(readFileSync(join(root, "encoder-lora", file))), file);
  });

  test("begins with an adapter of its own on disk", async () => {
    await run("encoder-further", `--model ${bert} --adapter ${join(root, "encoder-lora")} --max-steps 1 --max-length 40`);
    const { rank, pairs: factors, score } = readPeftAdapter(join(root, "encoder-further"), "bert");
    assert.deepEqual([rank, factors.size, score!.outputs], [4, 13, 1]);
  });
});

describe("lists of answers", () => {
  for (const [name, loss] of [
    ["pairs", "bradley-terry"],
    ["ranking", "plackett-luce"],
  ] as const) {
    test(`are learnt by ${loss}`, async () => {
      const how = `--model ${llama} --learning-rate 3e-3 --max-steps 30 --batch-size 4 --lr-scheduler-type constant --loss-type ${loss}`;
      await run(`lists-by-${name}`, how, { data: lists });
      const [before, after] = evaluations(`lists-by-${name}`) as [Record<string, number>, Record<string, number>];
      assert.ok(after["eval_accuracy"]! > 0.8 && after["eval_accuracy"]! > before["eval_accuracy"]!, JSON.stringify(after));
    });
  }
});

describe("the reference", () => {
  test("decides the scale, whatever its rows are", async () => {
    const reference = writeJsonLines(join(root, "reference.jsonl"), [
      { messages: [{ role: "user", content: "say cat" }, { role: "assistant", content: "meow" }] }, // prettier-ignore
      { prompt: [{ role: "user", content: "say dog" }], completion: [{ role: "assistant", content: "woof" }] },
      soundPairs()[0]!,
    ]);
    await run("scaled", `--model ${llama} --max-steps 2 --reference ${reference}`);
    const { normalization } = readRewardConfig(join(root, "scaled"));
    assert.equal(normalization.reference, "4 answers of reference.jsonl");
    const model = openModel(join(root, "scaled"));
    const encoder = encoderOf(true);
    const texts = [["say cat", "meow"], ["say dog", "woof"], ["what says the cat", "meow"], ["what says the cat", "woof"]] as const; // prettier-ignore
    const rows = texts.map(([question, answer]) => {
      const prompt = [{ role: "user", content: question }];
      return [...encoder.encode({ form: "messages", prompt, answer: [{ role: "assistant", content: answer }] }, 99).ids];
    });
    assertScaled("scaled", naiveOutputs(model.weights, rows, model.weights.readFloat32("score.weight"), undefined));
    model.weights.close();
  });

  test("is refused where it holds no answers", async () => {
    const text = writeJsonLines(join(root, "texts.jsonl"), [{ text: "hello" }]);
    await assertRejected(
      run("texts", `--model ${llama} --reference ${text}`),
      "invalid_dataset",
      /texts\.jsonl:1: text is no answer to anything/,
    );
    const one = writeJsonLines(join(root, "one.jsonl"), [{ prompt: "a", completion: "b" }]);
    await assertRejected(run("one", `--model ${llama} --reference ${one}`), "invalid_dataset", /one\.jsonl: .* at least 2 answers/);
  });
});

describe("what does not fit", () => {
  test("is refused by its flag", async () => {
    const cases: [words: string, message: RegExp][] = [
      [`--model ${llama} --form encoder`, /--form encoder is not for .*"llama"/],
      [`--model ${bert} --form decoder`, /--form decoder is not for .*"bert"/],
      [`--model ${bert} --lora-r 4 --lora-target-modules q_proj`, /the model's linear layers are query, key, value, dense/],
      [`--model ${llama} --form policy-head --lora-r 4`, /--lora-r is not for the form policy-head/],
      [`--model ${llama} --dimensions a --dimensions a`, /--dimensions names a twice/],
      [`--model ${llama} --dimension-weights 1 --dimension-weights 2`, /2 numbers and there are 1 dimensions/],
      [`--model ${llama} --dimension-weights no`, /--dimension-weights takes numbers from 0, not "no"/],
      [`--model ${llama} --dimension-weights 0`, /all 0/],
      [`--model ${llama} --max-length 257`, /--max-length 257 is more than the model's context of 256/],
    ];
    for (const [words, message] of cases) await assertRejected(run("refused", words), "usage", message);
    await assertRejected(run("refused", `--model ${llama} --dimensions right --dimensions kind`, { data: byDimension }), "invalid_dataset", /no row says anything of the dimension "kind"/); // prettier-ignore
  });

  test("is cut at its beginning and counted, or left out and counted, and never silently", async () => {
    const long = writeJsonLines(join(root, "long.jsonl"), [
      ...soundPairs().slice(0, 3),
      { prompt: [{ role: "user", content: "a".repeat(60) }], chosen: "b", rejected: "c" },
      { prompt: [{ role: "user", content: "say" }], chosen: "same", rejected: "same" },
    ]);
    const said: string[] = [];
    await run("long", `--model ${llama} --max-steps 1 --max-length 32`, { data: long, heldOut: pairs, log: (line) => said.push(line) });
    assert.match(
      said.join("\n"),
      /long\.jsonl, 2 answers are cut at --max-length, \d+ tokens in all[^]*1 rows are left out: their answers are the same/,
    );
    assert.match(
      readFileSync(join(root, "long", "README.md"), "utf8"),
      /4 comparisons of 8 answers; 2 answers lost \d+ tokens[^]*1 rows of equal answers/,
    );
    assert.equal(readRewardConfig(join(root, "long")).maxLength, 32);
  });
});
