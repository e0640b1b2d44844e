/** @file The trainers as a person starts them: help, exit status, one line on error, and what signals leave. */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readTrainingOptions, trainingHelp } from "../../src/config/training-command-line.ts";
import { optionsOf } from "../../src/config/option.ts";
import { DpoSchema } from "../../src/config/dpo-training-options.ts";
import { RewardSchema } from "../../src/config/reward-training-options.ts";
import { PretrainSchema, SftSchema } from "../../src/config/training-options.ts";
import { runSftCommand } from "../../src/cli/commands/train.ts";
import { trainingProgress } from "../../src/cli/terminal/training-progress.ts";
import { checkpointSteps } from "../../src/training/run/checkpoint.ts";
import { goldenPath } from "../architectures/goldens.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { assertRefused } from "../formats/expect-error.ts";
import { soundPairs } from "../training/preference/preference-rows.ts";
import { soundRows, writeJsonLines } from "../training/data/sound-rows.ts";

const root = temporaryFolder();
const temporary = join(root, "temporary");
mkdirSync(temporary);
const dataset = writeJsonLines(join(root, "train.jsonl"), soundRows(6));

interface Started {
  child: ChildProcess;
  ended: Promise<{ status: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

/** Starts a trainer; `onOutput` hears standard output as it comes. */
function start(
  command: "train:sft" | "train:reward" | "pretrain",
  args: readonly string[],
  onOutput: (child: ChildProcess, text: string) => void = () => {},
): Started {
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  // What a killed process leaves among temporary files goes with the test's folder.
  const env = { ...process.env, TMPDIR: temporary };
  const child = spawn(process.execPath, ["--import", "tsx", main, command, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
    onOutput(child, text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const ended = once(child, "close").then(([status, signal]) => ({
    status: status as number | null,
    signal: signal as NodeJS.Signals | null,
    ...output,
  }));
  return { child, ended };
}

const words = (output: string): string[] =>
  `--model ${goldenPath("llama")} --dataset ${dataset} --output-dir ${join(root, output)} --learning-rate 3e-3 --max-length 64 --packing --max-steps 120 --save-steps 3 --threads 1`.split(
    " ",
  );

describe("npm run train:sft", () => {
  test("trains, says how far it is, and exits with 0", async () => {
    const { status, stdout, stderr } = await start("train:sft", words("whole")).ended;
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(
      stdout,
      /108 documents in \d+ rows of 64 tokens[^]*train: 50% of 120 steps: loss \d\.\d+, \d+ tokens\/s, \d+:\d\d left\n[^]*The trained model is in .*whole\.\n$/,
    );
    assert.ok(existsSync(join(root, "whole", "model.safetensors")));
  });

  test("stops at SIGINT and SIGTERM with a checkpoint and 130, is killed by kill -9, and goes on to the same bytes", async () => {
    for (const signal of ["SIGINT", "SIGKILL", "SIGTERM"] as const) {
      let heard = "";
      const {
        status,
        signal: by,
        stderr,
      } = await start("train:sft", [...words("stopped"), "--resume"], (child, text) => {
        heard += text;
        if (!/train: \d+%/.test(heard)) return;
        child.kill(signal);
        // npm passes a terminal's Control-C on to a process that has had it already.
        if (signal === "SIGINT") setTimeout(() => child.kill(signal), 20);
      }).ended;
      if (signal === "SIGKILL") assert.equal(by, "SIGKILL");
      else {
        const step = checkpointSteps(join(root, "stopped/checkpoints")).at(-1);
        assert.equal(status, 130);
        assert.match(stderr, new RegExp(`Stopped after step ${step}, which has a checkpoint: .* --resume goes on`));
      }
    }
    assert.equal((await start("train:sft", [...words("stopped"), "--resume"]).ended).status, 0);
    for (const file of ["model.safetensors", "metrics.jsonl", "checkpoints/step-120/state.safetensors"])
      assert.ok(readFileSync(join(root, "stopped", file)).equals(readFileSync(join(root, "whole", file))), file);
    assert.deepEqual(readdirSync(join(root, "stopped/checkpoints")).toSorted(), ["step-117", "step-120"]);
  });

  test("tells a bad row in one line and exits with 1; wrong usage with 2", async () => {
    const bad = join(root, "bad.jsonl");
    writeFileSync(bad, '{"text": "good"}\n{"messages": [{"role": "user"}]}\n');
    const row = await start(
      "train:sft",
      words("bad").map((word) => (word === dataset ? bad : word)),
    ).ended;
    assert.deepEqual([row.status, row.stderr], [1, `train:sft: ${bad}:2: messages[0].content must be a text, not absent.\n`]);
    assert.ok(!existsSync(join(root, "bad")), "nothing is written before the data are read");
    const usage = await start("train:sft", [...words("usage"), "--batchsize", "4"]).ended;
    assert.deepEqual(
      [usage.status, usage.stderr],
      [2, "train:sft: Unknown option --batchsize. Did you mean --batch-size? --help lists all of them.\n"],
    );
  });
});

describe("npm run train:reward", () => {
  const pairs = writeJsonLines(join(root, "pairs.jsonl"), soundPairs());
  const rewardWords = (output: string): string[] =>
    `--model ${goldenPath("llama")} --dataset ${pairs} --output-dir ${join(root, output)} --learning-rate 3e-3 --lora-r 4 --max-steps 60 --save-steps 3 --threads 1`.split(
      " ",
    );

  test("is killed by kill -9 and goes on to the same bytes", async () => {
    const whole = await start("train:reward", rewardWords("reward")).ended;
    assert.deepEqual([whole.status, whole.stderr], [0, ""]);
    assert.match(
      whole.stdout,
      /as the form decoder: a LoRA adapter will be trained\.\n60 comparisons of 120 answers[^]*The trained model is in .*reward\.\n$/,
    );
    let heard = "";
    const killed = await start("train:reward", rewardWords("killed"), (child, text) => {
      heard += text;
      if (/train: \d+%/.test(heard)) child.kill("SIGKILL");
    }).ended;
    assert.equal(killed.signal, "SIGKILL");
    assert.ok(!existsSync(join(root, "killed/reward.json")));
    assert.equal((await start("train:reward", [...rewardWords("killed"), "--resume"]).ended).status, 0);
    for (const file of ["adapter_model.safetensors", "reward.json", "metrics.jsonl", "checkpoints/step-60/state.safetensors"])
      assert.ok(readFileSync(join(root, "killed", file)).equals(readFileSync(join(root, "reward", file))), file);
  });

  test("tells a bad row in one line and exits with 1", async () => {
    const bad = join(root, "bad-pairs.jsonl");
    writeFileSync(bad, '{"prompt": "a", "chosen": "b", "rejected": "c"}\n{"prompt": "a", "chosen": "b", "rejected": 3}\n');
    const { status, stderr } = await start(
      "train:reward",
      rewardWords("bad-reward").map((word) => (word === pairs ? bad : word)),
    ).ended;
    assert.deepEqual([status, stderr], [1, `train:reward: ${bad}:2: rejected must be a text, not a number.\n`]);
    assert.ok(!existsSync(join(root, "bad-reward")));
  });
});

test("npm run pretrain prints its help and exits with 0", async () => {
  const { status, stdout } = await start("pretrain", ["--help"]).ended;
  assert.equal(status, 0);
  assert.match(stdout, /^Pre-train .*\n\nUsage: npm run pretrain -- /);
});

describe("the options of trainers", () => {
  for (const [name, schema] of [
    ["pretrain", PretrainSchema],
    ["train:sft", SftSchema],
    ["train:reward", RewardSchema],
    ["train:dpo", DpoSchema],
  ] as const) {
    // prettier-ignore
    test(`of ${name} are all in its help, with defaults, on lines that fit a terminal`, () => {
      const help = trainingHelp(schema, [], name);
      for (const { flag } of optionsOf<string>(schema.properties)) assert.ok(help.includes(`\n  --${flag}`), flag);
      assert.match(help, /Default: 8 rows\./);
      for (const line of help.split("\n")) assert.ok(line.length <= 110, line);
    });
  }

  const needed = ["--model", "m", "--dataset", "d", "--output-dir", "o"];
  const refused: [words: string[], message: RegExp][] = [
    [["--dataset", "d", "--output-dir", "o"], /--model DIR/],
    [["--model", "m", "--output-dir", "o"], /--dataset FILE/],
    [["--model", "m", "--dataset", "d"], /--output-dir DIR/],
    [[...needed, "--device", "cuda"], /--device cuda is not supported/],
    [[...needed, "--lora-alpha", "8"], /give --lora-r as well/],
    [[...needed, "--load-in-8bit"], /give --lora-r as well/],
    [[...needed, "--adapter", "a", "--lora-r", "8"], /--lora-r is what the adapter of --adapter has/],
    [[...needed, "--learning-rate", "fast"], /--learning-rate must be a number above 0 to 100, not "fast"/],
    [[...needed, "--learning-rate", "0"], /--learning-rate must be a number above 0/],
    [[...needed, "--batch-size", "1.5"], /--batch-size must be a whole number of rows from 1/],
    [[...needed, "--optim", "sgd", "--adam-beta2", "0.9"], /--adam-beta2 is of AdamW: leave it out with --optim sgd/],
    [[...needed, "--lr-scheduler-type", "cosin"], /Did you mean cosine\?/],
  ];
  for (const [given, message] of refused) {
    test(`refuse ${given.join(" ")}`, () => assertRefused(() => readTrainingOptions(SftSchema, given), "usage", message));
  }

  test("are read with their types, and --no-shuffle keeps the order", () => {
    const invocation = readTrainingOptions(SftSchema, [
      ...needed,
      "--learning-rate",
      "1e-4",
      "--no-shuffle",
      "--dataset=e",
      "--num-train-epochs",
      ".5",
    ]);
    assert.ok(invocation.kind === "run");
    const { learningRate, shuffle, dataset: files, numTrainEpochs, batchSize } = invocation.options;
    assert.deepEqual([learningRate, shuffle, files, numTrainEpochs, batchSize], [1e-4, false, ["d", "e"], 0.5, 8]);
  });
});

test("progress is one line on a terminal, which evaluations do not break", () => {
  let text = "";
  const lines: string[] = [];
  const progress = trainingProgress({ isTTY: true, columns: 100, write: (part) => (text += part) }, (line) => lines.push(line));
  const metrics = { epoch: 0, grad_norm: 1, learning_rate: 1, entropy: 1, mean_token_accuracy: 1, num_tokens: 1 };
  for (let step = 1; step <= 10; step++) {
    progress.observe({ kind: "step", metrics: { ...metrics, step, loss: 3 - step / 10 }, totalSteps: 10, tokens: 500, seconds: 2 });
    if (step === 5)
      progress.observe({
        kind: "evaluation",
        metrics: { step, epoch: 0, eval_loss: 2, eval_mean_token_accuracy: 0.5, eval_num_tokens: 9 },
      });
  }
  progress.end();
  assert.match(text, /^\rtrain \[.*\n\r.*100% 10\/10 loss 2\.000 250 tokens\/s[^\n]*\n$/s);
  assert.deepEqual(lines, ["After 5 steps: held-out loss 2.0000, token accuracy 0.5000."]);
});

test("an adapter is not trained as a model of its own, nor its base in its place", async (context) => {
  const error = context.mock.method(console, "error", () => undefined);
  const adapter = fileURLToPath(new URL("../oracle/adapters/llama", import.meta.url));
  const output = join(temporaryFolder(), "never");
  const status = await runSftCommand(["--model", adapter, "--dataset", "rows.jsonl", "--output-dir", output]);
  assert.equal(status, 2);
  assert.match(String(error.mock.calls[0]?.arguments[0]), /is an adapter: give its base with --model and it with --adapter/);
  assert.equal(existsSync(output), false);
});
