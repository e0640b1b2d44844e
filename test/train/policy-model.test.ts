/** @file Whole tunings of tiny policies: they learn what is preferred, others load what they leave, and cutting the work in pieces changes no byte. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { DpoSchema } from "../../src/config/dpo-training-options.ts";
import { readTrainingOptions, trainingFlags } from "../../src/config/training-command-line.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import type { ErrorCode } from "../../src/errors/registry.ts";
import { readPeftAdapter } from "../../src/formats/peft-adapter.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { RowEncoder } from "../../src/train/documents.ts";
import { readMetricLines } from "../../src/train/metrics-file.ts";
import { trainPolicy } from "../../src/train/policy-model.ts";
import { readPolicyAnswers, readPolicyPairs } from "../../src/train/policy-pairs.ts";
import type { RunOutcome } from "../../src/train/training-run.ts";
import { goldenPath } from "../architectures/goldens.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { soundPairs } from "./preference-rows.ts";
import { writeJsonLines } from "./sound-rows.ts";

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
async function run(name: string, words: string, { data = pairs, stopAfter, log = () => {} }: Run = {}): Promise<RunOutcome> {
  const shared = ["--dataset", data, "--eval-dataset", data, "--output-dir", join(root, name), "--eval-steps", "0"];
  const invocation = readTrainingOptions(DpoSchema, [...shared, ...words.split(" ")]);
  assert.ok(invocation.kind === "run");
  const stop = new AbortController();
  return trainPolicy({
    command: "npm run …",
    flags: trainingFlags(DpoSchema, invocation.options),
    versions: { bonsai: "test" },
    modelPath: invocation.options.model,
    options: invocation.options,
    stop: stop.signal,
    log,
    observe: (event) => {
      if (event.kind === "step" && event.metrics.step === stopAfter) stop.abort();
    },
  });
}

/** Before the first step and after the last. */
function evaluations(name: string): [Record<string, number>, Record<string, number>] {
  const lines = readMetricLines(join(root, name, "metrics.jsonl")).evaluations;
  return [lines[0]!, lines.at(-1)!];
}

async function refusal(promise: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof BonsaiError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
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
    await refusal(run("full", `${words} --resume --beta 0.2`), "usage", /--beta was 0\.1 .* is 0\.2 now/);
    await refusal(run("full", `${words} --resume --loss-type ipo`), "usage", /--loss-type was \["sigmoid"\]/);
    await refusal(run("full", words), "usage", /holds a run or a model already/);
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

  test("begins with an adapter on disk at that adapter's rewards, not at none", async () => {
    await run("further", `--model ${llama} --adapter ${join(root, "lora")} --max-steps 1`);
    const [before] = evaluations("further");
    const [, after] = evaluations("lora");
    assert.ok(Math.abs(before["eval_rewards/margins"]! - after["eval_rewards/margins"]!) < 1e-3 * after["eval_rewards/margins"]!);
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
      await refusal(run(name, `--model ${llama} ${words}`, { data }), "invalid_dataset", message);
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
    ["--max-length 257", /--max-length 257 is more than the model's context of 256/],
  ];
  for (const [words, message] of cases) await refusal(run("refused", `--model ${llama} ${words}`), "usage", message);
});
