/**
 * @file Whole trainings of a tiny model: it learns, others load what it leaves, and cutting the work in pieces changes
 * no byte.
 */

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { PretrainSchema, SftSchema } from "../../../src/config/training-options.ts";
import { startEngine } from "../../../src/engine/worker/start-engine.ts";
import { mergeAdapter } from "../../../src/formats/merged-adapter.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { readPeftAdapter } from "../../../src/formats/peft-adapter.ts";
import { readCheckpoint } from "../../../src/training/run/checkpoint.ts";
import { readDocuments, RowEncoder } from "../../../src/training/data/documents.ts";
import { trainLanguageModel } from "../../../src/training/language/task.ts";
import { readMetricLines, type MetricLines } from "../../../src/training/run/metrics-file.ts";
import type { RunOutcome, TrainingEvent } from "../../../src/training/run/training-loop.ts";
import { assertRejected } from "../../formats/expect-error.ts";
import { goldenPath, largestDifference } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { AnswerCollector, requestFor, roomyLimits } from "../../engine/answers.ts";
import { runOracle, withoutPyTorch } from "../../fixtures/python-oracle.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyGguf } from "../../fixtures/tiny-gguf.ts";
import { runByWords } from "../run/run-by-words.ts";
import { soundRows, writeJsonLines } from "../data/sound-rows.ts";
import { trainingGoldens } from "../model/training-goldens.ts";

const root = temporaryFolder();
const llama = goldenPath("llama");
const dataset = writeJsonLines(join(root, "train.jsonl"), soundRows(6));
const heldOut = writeJsonLines(join(root, "held-out.jsonl"), soundRows(1));

interface Run {
  stage?: "pretrain" | "sft";
  /** Default: the rows of sounds. */
  data?: string;
  /** Ends the run after this step. */
  stopAfter?: number;
}

/** A training by the words of its command line, in the output folder `name`. */
async function run(
  name: string,
  words: string,
  { stage = "sft", data = dataset, stopAfter }: Run = {},
): Promise<RunOutcome & { events: TrainingEvent[] }> {
  const schema = stage === "sft" ? SftSchema : PretrainSchema;
  const shared = [
    "--dataset",
    data,
    "--eval-dataset",
    data === dataset ? heldOut : data,
    "--output-dir",
    join(root, name),
    "--eval-steps",
    "0",
  ];
  return runByWords(schema, [...shared, ...words.split(" ")], async (training) => trainLanguageModel({ stage, ...training }), {
    stopAfter,
  });
}

function evaluations(name: string): MetricLines["evaluations"] {
  return readMetricLines(join(root, name, "metrics.jsonl")).evaluations;
}

const rows = "--max-length 64 --packing";

describe("fine-tuning all weights", () => {
  const lasting = `--model ${llama} ${rows} --learning-rate 3e-3`;
  const words = `${lasting} --max-steps 30`;

  test("lowers the loss of held-out rows, and the folder is served with what was learnt", async () => {
    await run("full", words);
    const [before, after] = evaluations("full");
    assert.ok(before!.eval_loss > 4 && after!.eval_loss < 0.5, `${before!.eval_loss} to ${after!.eval_loss}`);

    const engine = await startEngine({
      ...roomyLimits,
      models: [{ id: "full", path: join(root, "full") }],
      quantization: "fp32",
      cacheDir: join(root, "cache"),
      threads: 2,
      log: () => {},
    });
    try {
      for (const { messages } of soundRows(1)) {
        const request = requestFor("full", { prompt: { kind: "messages", messages: messages.slice(0, 1) }, maxTokens: 12 });
        const collector = new AnswerCollector(1);
        for await (const event of engine.generate(request)) collector.add(event);
        const { sequences } = collector.answer;
        assert.deepEqual([sequences[0]!.text, sequences[0]!.finishReason], [messages[1]!.content, "stop"]);
      }
    } finally {
      await engine.close();
    }
  });

  test("leaves a folder that transformers loads, with the same logits", { skip: withoutPyTorch }, () => {
    const { logits } = runOracle("load-written.py", "model", join(root, "full")) as { logits: number[] };
    const model = openModel(join(root, "full"));
    const naive = new NaiveDecoder(readDecoderConfig(model.config, model.path), model.weights).logits([5, 17, 99, 3]);
    assert.ok(largestDifference(naive.at(-1)!, logits) < 1e-4);
    model.weights.close();
  });

  test("leaves the card, the curves and the record of the run", () => {
    const read = (name: string): string => readFileSync(join(root, "full", name), "utf8");
    assert.match(
      read("README.md"),
      /^---\nlibrary_name: transformers\n[^]*\| held out, after 30 steps \|[^]*\| train\.jsonl \| 108 \| `[0-9a-f]{64}` \|/,
    );
    assert.match(read("curves.svg"), /^<svg[^]*held out[^]*<\/svg>\n$/);
    const record = JSON.parse(read("training.json")) as { flags: Record<string, unknown>; steps: number; data: { files: object[] } };
    assert.deepEqual([record.flags["--learning-rate"], record.steps, record.data.files.length], [0.003, 30, 1]);
  });

  test("ends with the same bytes when it is interrupted and goes on", async () => {
    for (const stopAfter of [4, 5, 19]) {
      const { step, isFinished } = await run("pieces", `${words} --resume`, { stopAfter });
      assert.deepEqual([step, isFinished], [stopAfter, false]);
    }
    await run("pieces", `${words} --resume`);
    for (const file of ["model.safetensors", "metrics.jsonl", "config.json", "checkpoints/step-30/state.safetensors"])
      assert.ok(readFileSync(join(root, "pieces", file)).equals(readFileSync(join(root, "full", file))), file);
  });

  test("goes on only with what it began with", async () => {
    await assertRejected(run("full", `${words} --resume --seed 7`), "usage", /--seed was 42 .* is 7 now/);
    await assertRejected(run("full", `${lasting} --resume --max-steps 31`), "usage", /the number of steps was 30 .* 31 now/);
    await assertRejected(run("full", words), "usage", /holds a run or a model already/);
  });

  test("refuses other data before any row is read, and another number of steps with the data it began with", async () => {
    const torn = join(root, "torn.jsonl");
    writeFileSync(torn, "{\n");
    await assertRejected(
      run("full", `${words} --resume`, { data: torn }),
      "usage",
      /the content of --dataset was \["[0-9a-f]{64}"\] when .* is \["[0-9a-f]{64}"\] now/,
    );
    await assertRejected(run("full", `${lasting} --resume --num-train-epochs 1000`), "usage", /the number of steps was 30 .* 4000 now/);
  });

  test("by SGD learns too, keeps no moments, and goes on with SGD alone", async () => {
    const plain = `--model ${llama} ${rows} --optim sgd --lr-scheduler-type constant --max-steps`;
    await run("sgd", `${plain} 20 --learning-rate 1`);
    const [before, after] = evaluations("sgd");
    assert.ok(after!.eval_loss < before!.eval_loss / 2, `${before!.eval_loss} to ${after!.eval_loss}`);
    const { progress, state } = readCheckpoint(join(root, "sgd/checkpoints/step-20"));
    assert.ok(![...state.keys()].some((name) => name.startsWith("exp_avg")));
    assert.equal(progress.identity["--optim"], "sgd");
    await assertRejected(
      run("sgd", `${plain.replace("sgd", "adamw")} 21 --learning-rate 1 --resume`),
      "usage",
      /--optim was "sgd" .* absent now/,
    );
    await run("sgd", `${plain} 21 --learning-rate 1 --resume`);
    await run("sgd-whole", `${plain} 21 --learning-rate 1`);
    const weights = (name: string): Buffer => readFileSync(join(root, name, "model.safetensors"));
    assert.ok(weights("sgd").equals(weights("sgd-whole")));
  });

  test("by AdamW is a run that older checkpoints, which name no optimiser, go on with", () => {
    assert.ok(!("--optim" in readCheckpoint(join(root, "full/checkpoints/step-30")).progress.identity));
  });

  test("measures held-out rows alike, however they lie in rows and batches", async () => {
    const at = async (name: string, how: string): Promise<number> => {
      await run(name, `--model ${llama} --max-steps 1 ${how}`);
      return evaluations(name)[0]!.eval_loss;
    };
    const losses = [await at("one-each", "--batch-size 3"), await at("packed", rows), await at("alone", "--batch-size 1")];
    for (const loss of losses) assert.ok(Math.abs(loss - losses[0]!) < 1e-5 * losses[0]!, losses.join());
  });
});

test("the loss of held-out conversations is the one that transformers computes", async () => {
  const { template, conversations, evaluation } = trainingGoldens();
  const folder = join(root, "templated");
  cpSync(llama, folder, { recursive: true });
  writeFileSync(join(folder, "chat_template.jinja"), template);
  const data = writeJsonLines(join(root, "conversations.jsonl"), conversations.map(({ messages }) => ({ messages }))); // prettier-ignore
  for (const [name, how] of [
    ["unpacked", ""],
    ["bfd", " --packing"],
  ] as const) {
    // prettier-ignore
    await run(`loss-${name}`, `--model ${folder} --max-steps 1 --max-length 128 --batch-size 2${how}`, { data });
    const [before] = evaluations(`loss-${name}`);
    assert.ok(Math.abs(before!.eval_loss - evaluation.loss) < 1e-5 * evaluation.loss, `${before!.eval_loss}, not ${evaluation.loss}`);
    assert.deepEqual([before!["eval_num_tokens"], before!["eval_mean_token_accuracy"]], [evaluation.tokens, evaluation.accuracy]);
  }
});

describe("fine-tuning an adapter", () => {
  const words = `--model ${llama} ${rows} --learning-rate 1e-2 --lora-r 8 --lora-alpha 16 --lora-dropout 0.1`;

  test("lowers the loss of held-out rows, leaves the base as it is, and merges into it", async () => {
    await run("lora", `${words} --max-steps 40`);
    const [before, after] = evaluations("lora");
    assert.ok(after!.eval_loss < before!.eval_loss / 3, `${before!.eval_loss} to ${after!.eval_loss}`);
    const adapter = readPeftAdapter(join(root, "lora"), "llama");
    assert.deepEqual([adapter.rank, adapter.alpha, adapter.dropout, adapter.baseModel, adapter.pairs.size], [8, 16, 0.1, llama, 14]);
    const base = openModel(llama);
    const naive = new NaiveDecoder(readDecoderConfig(base.config, base.path), mergeAdapter(base.weights, adapter));
    assert.ok(meanLoss(naive) < before!.eval_loss / 3);
    assert.ok(Math.abs(meanLoss(naive) - after!.eval_loss) < 1e-3, `merged ${meanLoss(naive)}, trained ${after!.eval_loss}`);
    base.weights.close();
  });

  test("begins as the base", () => {
    assert.ok(Math.abs(evaluations("lora")[0]!.eval_loss - evaluations("full")[0]!.eval_loss) < 1e-5);
  });

  test("leaves a folder that peft loads", { skip: withoutPyTorch }, () => {
    const { parameters, logits } = runOracle("load-written.py", "adapter", llama, join(root, "lora")) as {
      parameters: Record<string, unknown>;
      logits: number[];
    };
    assert.equal(Object.keys(parameters).length, 28);
    const base = openModel(llama);
    const merged = mergeAdapter(base.weights, readPeftAdapter(join(root, "lora"), "llama"));
    const naive = new NaiveDecoder(readDecoderConfig(base.config, base.path), merged).logits([5, 17, 99, 3]);
    assert.ok(largestDifference(naive.at(-1)!, logits) < 1e-3);
    base.weights.close();
  });

  test("ends with the same bytes when it is interrupted and goes on, dropout included", async () => {
    await run("lora-pieces", `${words} --max-steps 40`, { stopAfter: 7 });
    await run("lora-pieces", `${words} --max-steps 40 --resume`);
    for (const file of ["adapter_model.safetensors", "metrics.jsonl"])
      assert.ok(readFileSync(join(root, "lora-pieces", file)).equals(readFileSync(join(root, "lora", file))), file);
  });

  test("begins with an adapter on disk where it left off, also one that peft made", async () => {
    await run("further", `--model ${llama} --adapter ${join(root, "lora")} --max-steps 1 ${rows}`);
    assert.ok(Math.abs(evaluations("further")[0]!.eval_loss - evaluations("lora").at(-1)!.eval_loss) < 1e-5);

    const made = join(llama, "../../adapters/llama");
    await run("from-peft", `--model ${llama} --adapter ${made} --learning-rate 1e-2 --max-steps 20 ${rows}`);
    const adapter = readPeftAdapter(join(root, "from-peft"), "llama");
    assert.deepEqual([adapter.rank, adapter.alpha, adapter.useRslora, adapter.pairs.size], [2, 6, true, 6]);
    const [before, after] = evaluations("from-peft");
    assert.ok(after!.eval_loss < before!.eval_loss);
    const base = openModel(llama);
    const merged = mergeAdapter(base.weights, readPeftAdapter(made, "llama"));
    assert.ok(Math.abs(meanLoss(new NaiveDecoder(readDecoderConfig(base.config, ""), merged)) - before!.eval_loss) < 1e-3);
    base.weights.close();
  });

  test("refuses an adapter of another model and a layer that is none", async () => {
    const made = join(llama, "../../adapters/llama");
    await assertRejected(
      run("other", `--model ${goldenPath("qwen3")} --adapter ${made}`),
      "invalid_model_file",
      /adapter of another model/,
    );
    await assertRejected(run("none", `--model ${llama} --lora-r 2 --lora-target-modules c_attn`), "usage", /"c_attn".*q_proj/);
  });

  /** Mean loss of the held-out answers, by the slow twin. */
  function meanLoss(naive: NaiveDecoder): number {
    const base = openModel(llama);
    base.weights.close();
    const { documents } = readDocuments([heldOut], new RowEncoder(base), 64);
    const losses = documents.flatMap(({ ids, trained }) => {
      const logits = naive.logits([...ids].slice(0, -1));
      const places = [...ids.keys()].filter((at) => at > 0 && trained[at] === 1);
      return places.map((at) => {
        const row = logits[at - 1]!;
        return Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - row[ids[at]!]!;
      });
    });
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  }
});

describe("pre-training", () => {
  const bare = join(root, "bare");
  mkdirSync(bare);
  for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"]) cpSync(join(llama, name), join(bare, name));
  const texts = soundRows(6).map(({ messages }) => ({ text: `${messages[0]!.content}: ${messages[1]!.content}.` }));
  const corpus = writeJsonLines(join(root, "corpus.jsonl"), texts);
  const words = `--model ${bare} --max-length 32 --max-steps 60 --learning-rate 1e-2`;

  test("begins with the config's own model drawn from the seed, and learns", async () => {
    await run("base", words, { stage: "pretrain", data: corpus });
    const { steps } = readMetricLines(join(root, "base", "metrics.jsonl"));
    assert.ok(Math.abs(steps[0]!.loss - Math.log(128)) < 0.3, "at first every token is about as likely as another");
    assert.ok(steps.at(-1)!.loss < 2);
    const written = openModel(join(root, "base"));
    assert.deepEqual([...written.weights.infos.keys()].toSorted(), [...openedNames(llama)]);
    written.weights.close();
    assert.match(readFileSync(join(root, "base", "README.md"), "utf8"), /from nothing/);
  });

  test("gives the same bytes by the same seed, others by another, and goes on from weights that are there", async () => {
    await run("again", words, { stage: "pretrain", data: corpus });
    const weights = (name: string): Buffer => readFileSync(join(root, name, "model.safetensors"));
    assert.ok(weights("again").equals(weights("base")));
    await run("other-seed", `${words} --seed 1`, { stage: "pretrain", data: corpus });
    assert.ok(!weights("other-seed").equals(weights("base")));
    rmSync(join(root, "again", "checkpoints"), { recursive: true });
    await run("further-base", words.replace(bare, join(root, "again")), { stage: "pretrain", data: corpus });
    const { steps } = readMetricLines(join(root, "further-base", "metrics.jsonl"));
    assert.ok(steps[0]!.loss < 2);
  });
});

describe("every architecture and format", () => {
  const rowsOfText = writeJsonLines(join(root, "text.jsonl"), [{ text: "say cat: meow" }, { text: "say dog: woof" }]);
  const still = "--max-steps 1 --learning-rate 1e-9 --max-length 32";

  for (const name of ["llama3-rope", "qwen2", "qwen3", "gpt2"] as const) {
    test(`${name} keeps its weights' names and shapes through a step that hardly moves them`, async () => {
      await run(`still-${name}`, `--model ${goldenPath(name)} ${still}`, { data: rowsOfText });
      const [before, after] = [openModel(goldenPath(name)), openModel(join(root, `still-${name}`))];
      assert.deepEqual([...after.weights.infos.keys()].toSorted(), [...before.weights.infos.keys()].toSorted());
      for (const weight of before.weights.infos.keys())
        assert.ok(largestDifference(after.weights.readFloat32(weight), before.weights.readFloat32(weight)) < 1e-6, weight);
      before.weights.close();
      after.weights.close();
    });
  }

  test("a GGUF file becomes a folder with its tokenizer and weights", async () => {
    const path = join(root, "tiny.gguf");
    writeTinyGguf(path, { type: "Q8_0" });
    await run("from-gguf", `--model ${path} ${still} --save-dtype bfloat16`, { data: rowsOfText });
    const [before, after] = [openModel(path), openModel(join(root, "from-gguf"))];
    assert.equal(after.tokenizer.chatTemplate, before.tokenizer.chatTemplate);
    const name = "model.layers.1.mlp.down_proj.weight";
    assert.equal(after.weights.infos.get(name)!.dtype, "BF16");
    assert.ok(largestDifference(after.weights.readFloat32(name), before.weights.readFloat32(name)) < 0.01);
    before.weights.close();
    after.weights.close();
  });

  test("an adapter of GPT-2 is loaded by peft", { skip: withoutPyTorch }, async () => {
    const gpt2 = goldenPath("gpt2");
    await run("lora-gpt2", `--model ${gpt2} --lora-r 2 --lora-target-modules c_attn --max-steps 4 --learning-rate 1e-1 --max-length 32`, {
      data: rowsOfText,
    });
    const { logits } = runOracle("load-written.py", "adapter", gpt2, join(root, "lora-gpt2")) as { logits: number[] };
    const base = openModel(gpt2);
    const merged = mergeAdapter(base.weights, readPeftAdapter(join(root, "lora-gpt2"), "gpt2"));
    const decoder = (weights: typeof merged): NaiveDecoder => new NaiveDecoder(readDecoderConfig(base.config, ""), weights);
    assert.ok(largestDifference(decoder(merged).logits([5, 17, 99, 3]).at(-1)!, logits) < 1e-3);
    assert.ok(largestDifference(decoder(base.weights).logits([5, 17, 99, 3]).at(-1)!, logits) > 1e-2, "the adapter changes something");
    base.weights.close();
  });

  test("an adapter over 8-bit blocks learns, and recomputed activations change nothing", async () => {
    const words = `--model ${llama} ${rows} --learning-rate 1e-2 --lora-r 8 --max-steps 20 --lora-dropout 0`;
    const losses = async (name: string, more: string): Promise<number[]> => {
      await run(name, `${words}${more}`);
      return readMetricLines(join(root, name, "metrics.jsonl")).steps.map(({ loss }) => loss);
    };
    const [plain, blocks, twice] = [
      await losses("b32", ""),
      await losses("b8", " --load-in-8bit"),
      await losses("re", " --gradient-checkpointing"),
    ];
    assert.ok(Math.abs(blocks[0]! - plain[0]!) < 0.05 * plain[0]! && blocks[0] !== plain[0], "blocks round");
    assert.ok(blocks.at(-1)! < blocks[0]! / 2);
    twice.forEach((loss, step) => assert.ok(Math.abs(loss - plain[step]!) < 1e-4, `step ${step}`));
  });
});

test("the folder of the model itself is no output", async () => {
  const output = join(root, "full");
  await assertRejected(run("full", `--model ${output} --resume`), "usage", /is the folder of the model that is trained/);
});

test("what a killed process left of graphs, weights and half-written files is gone after the run", async () => {
  const folder = join(root, "left-over");
  mkdirSync(join(folder, ".work", "bonsai-training-old"), { recursive: true });
  writeFileSync(join(folder, "model.safetensors.123.partial"), "half");
  await run("left-over", `--model ${llama} --max-steps 1 ${rows}`);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name === ".work" || name.endsWith(".partial")),
    [],
  );
});

test("a folder that holds a run is refused before any data are read", async () => {
  await assertRejected(run("full", `--model ${llama}`, { data: join(root, "absent.jsonl") }), "usage", /holds a run or a model already/);
});

test("a row longer than the model's context allows is refused by its flag", async () => {
  await assertRejected(
    run("long", `--model ${llama} --max-length 257`),
    "usage",
    /--max-length 257 is more than the model's context of 256/,
  );
});

function openedNames(path: string): string[] {
  const model = openModel(path);
  model.weights.close();
  return [...model.weights.infos.keys()].toSorted();
}
