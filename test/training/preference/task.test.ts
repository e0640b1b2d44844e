/**
 * @file Whole tunings of tiny policies: they learn what is preferred, others load what they leave, and cutting the work
 * in pieces changes no byte.
 */

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { DpoSchema } from "../../../src/config/dpo-training-options.ts";
import { tunedContentHash } from "../../../src/engine/scoring/decoder-reward.ts";
import { adapterContentHash, readPeftAdapter } from "../../../src/formats/peft-adapter.ts";
import { mergeAdapter } from "../../../src/formats/merged-adapter.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { readRewardConfig } from "../../../src/reward/reward-config.ts";
import { RowEncoder } from "../../../src/training/data/documents.ts";
import { displacementWarning, isPastBest } from "../../../src/training/preference/early-stopping.ts";
import { readMetricLines } from "../../../src/training/run/metrics-file.ts";
import { trainPolicy } from "../../../src/training/preference/task.ts";
import { readPolicyAnswers, readPolicyPairs } from "../../../src/training/preference/pairs.ts";
import type { RunOutcome } from "../../../src/training/run/training-loop.ts";
import { assertRejected } from "../../formats/expect-error.ts";
import { goldenPath, largestDifference } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { assertClose } from "../../autodiff/assert-close.ts";
import { naiveLogProbability } from "./naive-log-probability.ts";
import { runOracle, withoutPyTorch } from "../../fixtures/python-oracle.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { soundPairs } from "./preference-rows.ts";
import { runByWords } from "../run/run-by-words.ts";
import { writeJsonLines } from "../data/sound-rows.ts";

const root = temporaryFolder();
const llama = goldenPath("llama");
const pairs = writeJsonLines(join(root, "pairs.jsonl"), soundPairs());

interface Run {
  data?: string;
  /** Ends the run after this step. */
  stopAfter?: number;
  log?: (line: string) => void;
}

/** A training by the words of its command line, in the output folder `name`. */
async function run(name: string, words: string, { data = pairs, stopAfter, log }: Run = {}): Promise<RunOutcome> {
  const shared = [
    "--dataset",
    data,
    "--eval-dataset",
    data,
    "--output-dir",
    join(root, name),
    ...(words.includes("--eval-steps") ? [] : ["--eval-steps", "0"]),
  ];
  return runByWords(DpoSchema, [...shared, ...words.split(" ")], trainPolicy, { stopAfter, log });
}

/** Before the first step and after the last. */
function evaluations(name: string): [Record<string, number>, Record<string, number>] {
  const lines = readMetricLines(join(root, name, "metrics.jsonl")).evaluations;
  return [lines[0]!, lines.at(-1)!];
}

function assertSameFiles(name: string, other: string, files: readonly string[]): void {
  for (const file of files) assert.ok(readFileSync(join(root, name, file)).equals(readFileSync(join(root, other, file))), file);
}

describe("a policy tuned on preferences, all weights", () => {
  const words = `--model ${llama} --learning-rate 3e-3 --max-steps 30 --packing --batch-size 4`;

  test("begins as its reference and learns to prefer what is chosen, by TRL's names", async () => {
    await run("full", words);
    const [before, after] = evaluations("full");
    assert.ok(Math.abs(before["eval_loss"]! - Math.log(2)) < 1e-5, `${before["eval_loss"]}`);
    assert.ok(Math.abs(before["eval_rewards/margins"]!) < 1e-5);
    assert.ok(after["eval_rewards/accuracies"]! > 0.9 && after["eval_rewards/margins"]! > 0.5, JSON.stringify(after));
    const { steps } = readMetricLines(join(root, "full", "metrics.jsonl"));
    assert.deepEqual(
      Object.keys(steps[0]!),
      "step epoch loss grad_norm learning_rate rewards/chosen rewards/rejected rewards/accuracies rewards/margins logps/chosen logps/rejected entropy mean_token_accuracy num_tokens".split(
        " ",
      ),
    );
  });

  test("leaves the card, the curves and the record of the run", () => {
    const read = (name: string): string => readFileSync(join(root, "full", name), "utf8");
    assert.match(
      read("README.md"),
      /tags: \[bonsai, dpo\][^]*sigmoid, beta 0\.1, all weights, 30 steps[^]*\| held out, after 30 steps \|[^]*60 pairs in/,
    );
    assert.match(read("curves.svg"), /^<svg[^]*pair[^]*<\/svg>\n$/);
    const record = JSON.parse(read("training.json")) as { stage: string; objective: unknown; data: { pairs: number } };
    assert.deepEqual([record.stage, record.objective, record.data.pairs], ["dpo", { losses: ["sigmoid"], beta: 0.1 }, 60]);
  });

  test("ends with the same bytes when it is interrupted and goes on, with and without the reference's file", async () => {
    for (const stopAfter of [4, 19]) assert.equal((await run("pieces", `${words} --resume`, { stopAfter })).step, stopAfter);
    const said: string[] = [];
    await run("pieces", `${words} --resume`, { stopAfter: 20, log: (line) => said.push(line) });
    assert.ok(!said.some((line) => line.startsWith("The reference reads")), "the reference was read twice");
    rmSync(join(root, "pieces", "reference.json"));
    await run("pieces", `${words} --resume`);
    assertSameFiles("pieces", "full", [
      "model.safetensors",
      "reference.json",
      "metrics.jsonl",
      "config.json",
      "checkpoints/step-30/state.safetensors",
    ]);
  });

  test("goes on only with what it began with", async () => {
    await assertRejected(run("full", `${words} --resume --beta 0.2`), "usage", /--beta was 0\.1 .* is 0\.2 now/);
    await assertRejected(run("full", `${words} --resume --loss-type ipo`), "usage", /--loss-type was \["sigmoid"\]/);
    await assertRejected(run("full", words), "usage", /holds a run or a model already/);
  });

  test("measures held-out pairs alike, however they lie in rows and batches", async () => {
    const at = async (name: string, how: string): Promise<Record<string, number>> => {
      await run(name, `--model ${join(root, "full")} --loss-type sigmoid --loss-type sft --max-steps 1 ${how}`);
      return evaluations(name)[0];
    };
    const [one, packed] = [await at("one-each", "--batch-size 60"), await at("packed", "--packing --batch-size 60")];
    for (const name of ["eval_loss", "eval_logps/chosen", "eval_logps/rejected"])
      assert.ok(Math.abs(one[name]! - packed[name]!) < 1e-4 * Math.abs(one[name]!), `${name}: ${one[name]} and ${packed[name]}`);
  });
});

describe("a policy tuned on preferences, by LoRA", () => {
  const words = `--model ${llama} --learning-rate 2e-2 --lora-r 8 --lora-dropout 0.1 --max-steps 40 --packing --batch-size 4`;

  test("learns against the base without the adapter", async () => {
    await run("lora", words);
    const [before, after] = evaluations("lora");
    assert.ok(Math.abs(before["eval_loss"]! - Math.log(2)) < 1e-5 && after["eval_rewards/accuracies"]! > 0.9, JSON.stringify(after));
    assert.deepEqual(
      [readPeftAdapter(join(root, "lora"), "llama").baseModel, existsSync(join(root, "lora", "config.json"))],
      [llama, false],
    );
  });

  test("ends with the same bytes when it is interrupted and goes on, dropout included", async () => {
    await run("lora-pieces", words, { stopAfter: 7 });
    await run("lora-pieces", `${words} --resume`);
    assertSameFiles("lora-pieces", "lora", ["adapter_model.safetensors", "metrics.jsonl"]);
  });

  test("leaves an adapter with which the slow twin gives the pairs the log-probabilities that it measured", () => {
    const base = openModel(llama);
    const encoder = new RowEncoder(base);
    const merged = mergeAdapter(base.weights, readPeftAdapter(join(root, "lora"), "llama"));
    const naive = new NaiveDecoder(readDecoderConfig(base.config, base.path), merged);
    const { pairs: found } = readPolicyPairs([pairs], encoder, 256);
    const mean = (side: "first" | "second"): number =>
      found.reduce((sum, pair) => {
        const { ids, trained } = pair[side];
        const [start, end] = [trained.indexOf(1), trained.lastIndexOf(1) + 1];
        return sum + naiveLogProbability(naive, [...ids.subarray(0, start)], [...ids.subarray(start, end)]);
      }, 0) / found.length;
    const after = evaluations("lora")[1];
    assertClose([mean("first"), mean("second")], [after["eval_logps/chosen"]!, after["eval_logps/rejected"]!], 1e-4, "log-probabilities");
    base.weights.close();
  });

  test("leaves an adapter that peft loads, with the same logits", { skip: withoutPyTorch }, () => {
    const { logits } = runOracle("load-written.py", "adapter", llama, join(root, "lora")) as { logits: number[] };
    const base = openModel(llama);
    const merged = mergeAdapter(base.weights, readPeftAdapter(join(root, "lora"), "llama"));
    const naive = new NaiveDecoder(readDecoderConfig(base.config, base.path), merged).logits([5, 17, 99, 3]);
    assert.ok(largestDifference(naive.at(-1)!, logits) < 1e-3);
    base.weights.close();
  });

  test("leaves its implicit reward on the scale of held-out answers, which tells their policy by its hash", async () => {
    await run("tasteful", `--model ${llama} --lora-r 4 --learning-rate 2e-2 --max-steps 10 --batch-size 8 --packing --implicit-reward-dir ${join(root, "taste")}`); // prettier-ignore
    const config = readRewardConfig(join(root, "taste"));
    const base = openModel(llama);
    const { contentHash } = base;
    base.weights.close();
    const sha256 = tunedContentHash(contentHash, adapterContentHash(join(root, "tasteful")));
    assert.deepEqual([config.form, config.beta, config.policy], ["implicit", 0.1, { name: "../tasteful", sha256 }]);
    assert.deepEqual(config.reference, { name: llama, sha256: contentHash });
    const after = evaluations("tasteful")[1];
    const { mean } = config.normalization.holistic;
    assert.ok(Math.abs(mean - (after["eval_rewards/chosen"]! + after["eval_rewards/rejected"]!) / 2) < 1e-5);
    assert.match(config.normalization.reference, /^120 answers of pairs\.jsonl$/);
  });

  test("begins with an adapter on disk at that adapter's rewards, not at none", async () => {
    await run("further", `--model ${llama} --adapter ${join(root, "lora")} --max-steps 1`);
    const [before] = evaluations("further");
    const [, after] = evaluations("lora");
    assert.ok(Math.abs(before["eval_rewards/margins"]! - after["eval_rewards/margins"]!) < 1e-3 * after["eval_rewards/margins"]!);
  });
});

describe("the guards", () => {
  test("measure how far the policy has gone by answers of its own: nowhere at first, then further", () => {
    for (const name of ["full", "lora"]) {
      const [before, after] = evaluations(name);
      assert.equal(before["eval_kl_to_reference"], 0, name);
      assert.ok(after["eval_kl_to_reference"]! > 0.5, `${name}: ${after["eval_kl_to_reference"]}`);
      assert.ok(before["eval_answer_length"]! > 0 && before["eval_answer_length"]! <= 64);
    }
    const [begun] = evaluations("further");
    assert.ok(begun["eval_kl_to_reference"]! > 0.5, "an adapter to begin with is not the reference");
  });

  test("do without answers where none are asked for", async () => {
    await run("unmeasured", `--model ${llama} --max-steps 1 --eval-prompts 0`);
    assert.ok(!("eval_kl_to_reference" in evaluations("unmeasured")[0]));
  });

  test("end the run once the held-out loss has stopped falling, with the same bytes in pieces", async () => {
    const words = `--model ${llama} --learning-rate 0.5 --lr-scheduler-type constant --max-steps 40 --batch-size 8 --packing --early-stopping-patience 2 --eval-prompts 0`;
    const early = async (name: string, more: string, stopAfter?: number): Promise<RunOutcome> =>
      run(name, `${words}${more} --eval-steps 2`, stopAfter === undefined ? {} : { stopAfter });
    const whole = await early("early", "");
    assert.ok(whole.isFinished && whole.step < 40, `${whole.step}`);
    const losses = readMetricLines(join(root, "early", "metrics.jsonl")).evaluations.map((line) => line.eval_loss);
    assert.ok(Math.min(...losses.slice(-2)) >= Math.min(...losses.slice(0, -2)));
    await early("early-pieces", " --resume", 3);
    assert.equal((await early("early-pieces", " --resume")).step, whole.step);
    assertSameFiles("early-pieces", "early", ["model.safetensors", "metrics.jsonl"]);
  });

  test("stop at the first evaluations that are no better than one before them", () => {
    const at = (...losses: number[]): { step: number; epoch: number; eval_loss: number }[] =>
      losses.map((loss, step) => ({ step, epoch: 0, eval_loss: loss }));
    assert.ok(!isPastBest(at(1, 2, 3), 0));
    assert.ok(!isPastBest(at(1, 2), 2));
    assert.ok(isPastBest(at(1, 2, 3), 2));
    assert.ok(!isPastBest(at(3, 2, 2.5), 2));
    assert.ok(isPastBest(at(3, 2, 2), 1));
  });

  test("warn where the chosen answers become less likely while margins grow", () => {
    const at = (step: number, chosen: number, margins: number): Parameters<typeof displacementWarning>[0] => ({
      step,
      epoch: 0,
      eval_loss: 0.5,
      "eval_logps/chosen": chosen,
      "eval_rewards/margins": margins,
    });
    assert.match(displacementWarning(at(0, -20, 0), at(50, -24.5, 1.25))!, /after 50 steps .* 4\.5 nats less likely .* grown by 1\.25/);
    assert.equal(displacementWarning(at(0, -20, 0), at(50, -19, 1.25)), undefined);
    assert.equal(displacementWarning(at(0, -20, 0), at(50, -24.5, -0.1)), undefined);
  });
});

describe("losses without a reference or without pairs", () => {
  for (const loss of ["orpo", "simpo --beta 2"]) {
    test(`${loss} learns and reads no reference`, async () => {
      const name = loss.split(" ")[0]!;
      const said: string[] = [];
      await run(name, `--model ${llama} --loss-type ${loss} --learning-rate 3e-3 --max-steps 30 --packing --batch-size 4`, {
        log: (line) => said.push(line),
      });
      assert.ok(evaluations(name)[1]["eval_rewards/accuracies"]! > 0.9, JSON.stringify(evaluations(name)));
      assert.ok(!said.some((line) => line.startsWith("The reference reads")));
    });
  }

  test("kto learns from answers with labels, and says how far it has gone", async () => {
    const rows = soundPairs().flatMap(({ prompt, chosen, rejected }, at) => {
      const completion = [{ role: "assistant", content: at % 2 === 0 ? chosen : rejected }];
      return [{ prompt, completion, label: at % 2 === 0 }];
    });
    const data = writeJsonLines(join(root, "labels.jsonl"), rows);
    await run("kto", `--model ${llama} --loss-type kto --learning-rate 3e-3 --max-steps 40 --packing --batch-size 4`, { data });
    const [before, after] = evaluations("kto");
    assert.ok(Math.abs(before["eval_loss"]! - 0.5) < 1e-5 && after["eval_loss"]! < 0.45, JSON.stringify(after));
    assert.ok(after["eval_rewards/margins"]! > 0.5 && before["eval_kl"] === 0, JSON.stringify([before, after]));
  });
});

describe("rows", () => {
  const opened = openModel(llama);
  opened.weights.close();
  const encoder = new RowEncoder(opened);
  const user = { role: "user", content: "say cat" };
  const answer = (content: string): { role: string; content: string } => ({ role: "assistant", content });

  test("of whole conversations are split where they begin to differ", () => {
    const whole = writeJsonLines(join(root, "whole.jsonl"), [{ chosen: [user, answer("meow")], rejected: [user, answer("woof")] }]);
    const split = writeJsonLines(join(root, "split.jsonl"), [{ prompt: [user], chosen: [answer("meow")], rejected: [answer("woof")] }]);
    assert.deepEqual(readPolicyPairs([whole], encoder, 99).pairs, readPolicyPairs([split], encoder, 99).pairs);
  });

  test("that are too long or say nothing are left out and counted, and never silently", async () => {
    const rows = [
      ...soundPairs().slice(0, 3),
      { prompt: [{ role: "user", content: "a".repeat(60) }], chosen: "b", rejected: "c" },
      { prompt: [user], chosen: "same", rejected: "same" },
    ];
    const data = writeJsonLines(join(root, "long.jsonl"), rows);
    const said: string[] = [];
    await run("long", `--model ${llama} --max-steps 1 --max-length 48`, { data, log: (line) => said.push(line) });
    assert.match(
      said.join("\n"),
      /long\.jsonl, 1 rows are left out: they have more than 48 tokens[^]*1 rows are left out: their answers are the same/,
    );
    assert.match(readFileSync(join(root, "long", "README.md"), "utf8"), /3 pairs in .*1 rows that are longer.*1 rows of equal answers/);
  });

  test("of pairs are for KTO an answer that is wanted and one that is not, each beside the next answer to another prompt", () => {
    const rows = [
      { prompt: "a ", chosen: "yes", rejected: "no" },
      { prompt: "b ", chosen: "good", rejected: "bad" },
    ];
    const data = writeJsonLines(join(root, "texts.jsonl"), rows);
    const { pairs: found } = readPolicyAnswers([data], encoder, 99);
    const ids = (prompt: string, completion: string): number[] => encoder.encode({ form: "completion", prompt, completion }).ids;
    const expected = [["a ", "yes", "good", 1], ["a ", "no", "good", -1], ["b ", "good", "yes", 1], ["b ", "bad", "yes", -1]] as const; // prettier-ignore
    assert.deepEqual(
      found.map(({ first, second, label }) => [[...first.ids], [...second.ids], label]),
      expected.map(([prompt, own, other, label]) => [ids(prompt, own), ids(prompt, other), label]),
    );
  });

  test("that cannot be trained on are refused by file, line and field", async () => {
    const bad = async (name: string, row: object, words: string, message: RegExp): Promise<void> => {
      const data = writeJsonLines(join(root, `${name}.jsonl`), [row]);
      await assertRejected(run(name, `--model ${llama} ${words}`, { data }), "invalid_dataset", message);
    };
    await bad("list", { prompt: "a", completions: ["b", "c"], ranks: [1, 2] }, "--max-steps 1", /list\.jsonl:1: completions is of a list/);
    await bad("label", { prompt: "a", completion: "b", label: 1 }, "--loss-type kto", /label\.jsonl:1: label must be true/);
    await bad("alone", { prompt: "a", completion: "b", label: true }, "--loss-type kto", /answers to at least two prompts/);
    await bad(
      "short",
      { prompt: "abc", chosen: "defg", rejected: "h" },
      "--max-length 3",
      /no row is left to train on: 1 have more than 3 tokens/,
    );
  });
});

test("options that do not fit together are refused by their flag", async () => {
  const cases: [words: string, message: RegExp][] = [
    ["--loss-type dpo", /--loss-type cannot be "dpo": it is one of sigmoid, /],
    ["--loss-type ipo --loss-type ipo", /--loss-type names ipo twice/],
    ["--loss-weights 1 --loss-weights 2", /2 numbers and there are 1 losses/],
    ["--loss-weights 0", /--loss-weights takes numbers above 0, not "0"/],
    ["--loss-type exo_pair", /--label-smoothing must be above 0 with --loss-type exo_pair/],
    ["--loss-type kto --loss-type sft", /kto is of single answers/],
    ["--loss-type simpo --implicit-reward-dir d", /--implicit-reward-dir is of policies with a reference/],
    ["--max-length 257", /--max-length 257 is more than the model's context of 256/],
  ];
  for (const [words, message] of cases) await assertRejected(run("refused", `--model ${llama} ${words}`), "usage", message);
});
