/**
 * @file Whole trainings of tiny value models: they learn, are served at every token of an answer, and cutting the work
 * in pieces changes no byte.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { RewardSchema } from "../../../src/config/reward-training-options.ts";
import type { Engine } from "../../../src/engine/contract/request.ts";
import { startEngine } from "../../../src/engine/worker/start-engine.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { readRewardConfig } from "../../../src/reward/reward-config.ts";
import { answersTo, servedRewardModel } from "../../../src/reward/reward-model.ts";
import { DecoderAnswerEncoder } from "../../../src/training/reward/answer-encoders.ts";
import { readMetricLines } from "../../../src/training/run/metrics-file.ts";
import type { RunOutcome } from "../../../src/training/run/training-loop.ts";
import { readScoredAnswers } from "../../../src/training/value/data.ts";
import { trainValueModel } from "../../../src/training/value/task.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { roomyLimits } from "../../engine/answers.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { soundPairs } from "../preference/preference-rows.ts";
import { runByWords } from "../run/run-by-words.ts";
import { writeJsonLines } from "../data/sound-rows.ts";

const root = temporaryFolder();
const llama = goldenPath("llama");

/** An animal's own sound is worth 1, another's -1. */
const scored = writeJsonLines(
  join(root, "scored.jsonl"),
  soundPairs().flatMap(({ prompt, chosen, rejected }) => [
    { prompt, completion: [{ role: "assistant", content: chosen }], score: 1 },
    { prompt, completion: rejected, score: -1 },
  ]),
);

async function run(
  name: string,
  words: string,
  { data = scored, stopAfter }: { data?: string; stopAfter?: number } = {},
): Promise<RunOutcome> {
  const shared = ["--form", "value", "--dataset", data, "--eval-dataset", data, "--output-dir", join(root, name), "--eval-steps", "0"];
  return runByWords(RewardSchema, [...shared, ...words.split(" ")], trainValueModel, { stopAfter });
}

describe("a value model", () => {
  const words = `--model ${llama} --learning-rate 3e-3 --max-steps 60 --packing --batch-size 4 --lr-scheduler-type constant`;
  let engine: Engine | undefined;
  after(async () => engine?.close());

  test("learns from scored answers what their tokens promise", async () => {
    await run("full", words);
    const { steps, evaluations } = readMetricLines(join(root, "full", "metrics.jsonl"));
    const [before, last] = [evaluations[0]!, evaluations.at(-1)!] as unknown as [Record<string, number>, Record<string, number>];
    // The first token tells nearly all; the prompt alone nothing, and half of the pairs are right.
    assert.ok(last["eval_explained_variance"]! > 0.6, JSON.stringify(last));
    assert.ok(Math.abs(before["eval_loss"]! - 1) < 1e-6, "zeros explain nothing of scores of 1 and -1");
    assert.deepEqual(Object.keys(steps[0]!), "step epoch loss grad_norm learning_rate explained_variance num_tokens".split(" "));
  });

  test("is served: of any prefix it says what the slow twin makes of the state at its last token", async () => {
    const path = join(root, "full");
    const reward = readRewardConfig(path);
    assert.deepEqual([reward.form, reward.dimensions, reward.normalization.holistic], ["value", ["reward"], { mean: 0, deviation: 1 }]);
    engine = await startEngine({
      ...roomyLimits,
      models: [{ id: "value", path, reward }],
      quantization: "fp32",
      cacheDir: join(root, "cache"),
      threads: 1,
      log: () => {},
    });
    const model = openModel(path);
    const naive = new NaiveDecoder(readDecoderConfig(model.config, path), model.weights);
    const score = model.weights.readFloat32("score.weight");
    const encoder = new DecoderAnswerEncoder(model, false);
    const prompt = [{ role: "user" as const, content: "what says the cow" }];
    const prefixes = ["m", "mo", "moo", "w", "woof"];
    const served = await servedRewardModel(engine, engine.models[0]!).score(answersTo(prompt, prefixes), { truncate: false });
    for (const [index, content] of prefixes.entries()) {
      const { ids } = encoder.encode({ form: "messages", prompt, answer: [{ role: "assistant", content }] }, 256);
      const state = naive.hidden([...ids]).at(-1)!;
      const expected = state.reduce((sum, value, at) => sum + value * score[at]!, 0);
      assert.ok(Math.abs(served[index]!.reward - expected) < 1e-4, `${content}: ${served[index]!.reward}, not ${expected}`);
    }
    model.weights.close();
    assert.ok(served[0]!.reward > served[3]!.reward, "a cow's first letter promises more than a dog's");
  });

  test("leaves a card, curves, and the record of its run", () => {
    const read = (name: string): string => readFileSync(join(root, "full", name), "utf8");
    assert.match(
      read("README.md"),
      /tags: \[bonsai, value-model\][^]*explained variance[^]*held out, after 60 steps[^]*120 scored answers\./,
    );
    assert.match(read("curves.svg"), /^<svg/);
    assert.match(read("training.json"), /"form": "value"/);
  });

  test("ends with the same bytes when it is interrupted and goes on", async () => {
    for (const stopAfter of [3, 31]) assert.equal((await run("pieces", `${words} --resume`, { stopAfter })).step, stopAfter);
    await run("pieces", `${words} --resume`);
    for (const file of ["model.safetensors", "reward.json", "metrics.jsonl", "config.json"])
      assert.ok(readFileSync(join(root, "pieces", file)).equals(readFileSync(join(root, "full", file))), file);
  });

  test("may be an adapter", async () => {
    await run("lora", `--model ${llama} --lora-r 4 --learning-rate 1e-2 --max-steps 2`);
    assert.match(readFileSync(join(root, "lora", "adapter_config.json"), "utf8"), /SEQ_CLS/);
  });
});

describe("scored answers", () => {
  const encoder = (): DecoderAnswerEncoder => {
    const model = openModel(llama);
    model.weights.close();
    return new DecoderAnswerEncoder(model, false);
  };
  const read = (row: object, maxLength = 256) => readScoredAnswers([writeJsonLines(join(root, "rows.jsonl"), [row])], encoder(), maxLength);
  const prompt = [{ role: "user", content: "say cow" }];

  test("begin where the prompt ends, of conversations and of texts, and after what was cut", () => {
    const [chat] = read({ prompt, completion: "moo", score: 0.5 }).answers as [ReturnType<typeof read>["answers"][number]];
    const answerTokens = chat.ids.length - chat.answerStart;
    assert.ok(answerTokens > 0 && chat.answerStart > answerTokens);
    assert.equal(chat.score, 0.5);
    const [text] = read({ prompt: "say cow", completion: " moo", score: -2 }).answers as [typeof chat];
    assert.ok(text.answerStart > 0 && text.answerStart < text.ids.length);
    const [cut] = read({ prompt, completion: "moo", score: 0.5 }, chat.ids.length - 2).answers as [typeof chat];
    assert.deepEqual([cut.answerStart, cut.ids.length], [chat.answerStart - 2, chat.ids.length - 2]);
  });

  test("are refused by line and field", () => {
    const refused = (row: object, message: RegExp): void => {
      assert.throws(
        () => read(row),
        (error) => {
          assert.ok(error instanceof BonsaiError && error.code === "invalid_dataset", String(error));
          assert.match(error.message, message);
          return true;
        },
      );
    };
    refused({ prompt, score: 1 }, /rows\.jsonl:1: completion is absent/);
    refused({ prompt, completion: "moo" }, /rows\.jsonl:1: score must be a number .*, not absent/);
    refused({ prompt, completion: "moo", score: "good" }, /score must be a number .*, not a string/);
    refused({ prompt, completion: "moo", score: 1e7 }, /score must be a number of at most 1000000 either way, not 10000000/);
    refused({ prompt: 3, completion: "moo", score: 1 }, /prompt must be a text or a list of messages/);
    refused({ prompt, completion: "", score: 1 }, /no row has an answer to learn from/);
  });
});

test("options of comparisons are refused, by their flag", async () => {
  for (const [words, flag] of [
    ["--loss-type plackett-luce", "--loss-type"],
    ["--center-rewards-coefficient 0.1", "--center-rewards-coefficient"],
    ["--dimensions kind", "--dimensions"],
    ["--dimension-weights 1", "--dimension-weights"],
    [`--reference ${scored}`, "--reference"],
  ] as const) {
    await assert.rejects(run("refused", `--model ${llama} ${words}`), (error) => {
      assert.ok(error instanceof BonsaiError && error.code === "usage" && error.param === flag, String(error));
      return true;
    });
  }
});
