/** @file The loop: it learns, says what it does, and a run that is ended in any way goes on to the same bytes. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkpointSteps, readCheckpoint } from "../../../src/training/run/checkpoint.ts";
import { learningRateAt } from "../../../src/training/run/learning-rate.ts";
import { readMetricLines } from "../../../src/training/run/metrics-file.ts";
import type { StepSource, TrainingEvent } from "../../../src/training/run/training-loop.ts";
import type { TokenBatch } from "../../../src/training/run/trainable-model.ts";
import { assertRejected } from "../../formats/expect-error.ts";
import { smallDisk, withoutSmallDisk } from "../../fixtures/small-disk.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { BigramModel } from "./bigram-model.ts";
import { bigramRun, cycleData, cycleDocuments } from "./bigram-run.ts";

const root = temporaryFolder();
const program = fileURLToPath(new URL("bigram-run.ts", import.meta.url));
const whole = join(root, "whole");
const events: TrainingEvent[] = [];
await bigramRun(whole, { observe: (event) => events.push(event) });

/** What a run leaves, but for the seconds that it took. */
function bytesOf(folder: string): Record<string, unknown> {
  const steps = checkpointSteps(join(folder, "checkpoints"));
  const files = steps.map((step) => {
    const path = join(folder, "checkpoints", `step-${step}`);
    const { trainSeconds: _, ...progress } = readCheckpoint(path).progress;
    return [`step-${step}`, { progress, state: readFileSync(join(path, "state.safetensors")).toString("base64") }] as const;
  });
  return { ...Object.fromEntries(files), metrics: readFileSync(join(folder, "metrics.jsonl"), "utf8") };
}

describe("a run", () => {
  const { steps, evaluations } = readMetricLines(join(whole, "metrics.jsonl"));

  test("lowers the loss of its own data and of held-out data", () => {
    assert.ok(steps.at(-1)!.loss < steps[0]!.loss - 1);
    assert.ok(evaluations.at(-1)!.eval_loss < evaluations[0]!.eval_loss - 1);
    assert.ok(evaluations.at(-1)!["eval_mean_token_accuracy"]! > 0.8);
  });

  test("writes a line a step with TRL's names, and evaluates before, each --eval-steps and after", () => {
    assert.deepEqual(
      steps.map(({ step }) => step),
      Array.from({ length: 40 }, (_, at) => at + 1),
    );
    assert.deepEqual(Object.keys(steps[0]!), [
      "step",
      "epoch",
      "loss",
      "grad_norm",
      "learning_rate",
      "entropy",
      "mean_token_accuracy",
      "num_tokens",
    ]);
    assert.deepEqual(
      evaluations.map(({ step }) => step),
      [0, 10, 20, 30, 40],
    );
    assert.deepEqual(Object.keys(evaluations[0]!), ["step", "epoch", "eval_loss", "eval_mean_token_accuracy", "eval_num_tokens"]);
    const schedule = { type: "cosine", learningRate: 0.1, warmupSteps: 4, totalSteps: 40 } as const;
    steps.forEach(({ step, learning_rate: rate }) => assert.equal(rate, learningRateAt(schedule, step - 1)));
  });

  test("counts tokens and epochs as the data have them", () => {
    const documents = cycleDocuments(120, 0);
    const { stepsPerEpoch } = cycleData();
    const perEpoch = documents.reduce((sum, { ids }) => sum + ids.length, 0);
    assert.equal(steps[stepsPerEpoch - 1]!.num_tokens, perEpoch);
    assert.equal(steps[2 * stepsPerEpoch - 1]!.num_tokens, 2 * perEpoch);
    assert.deepEqual([steps[stepsPerEpoch - 1]!.epoch, steps[2 * stepsPerEpoch - 1]!.epoch], [1, 2]);
  });

  test("keeps the newest checkpoints, and tells of each", () => {
    assert.deepEqual(checkpointSteps(join(whole, "checkpoints")), [36, 40]);
    const paths = events.flatMap((event) => (event.kind === "checkpoint" ? [event.path] : []));
    assert.deepEqual(
      paths,
      [4, 8, 12, 16, 20, 24, 28, 32, 36, 40].map((step) => join(whole, "checkpoints", `step-${step}`)),
    );
    assert.deepEqual(readdirSync(join(whole, "checkpoints")).toSorted(), ["step-36", "step-40"]);
    const { progress } = readCheckpoint(join(whole, "checkpoints/step-36"));
    const { stepsPerEpoch } = cycleData();
    assert.equal(progress.epoch * stepsPerEpoch + progress.stepInEpoch, 36);
  });

  test("accumulates: 4 batches of 1 row are the step of 1 batch of 4", async () => {
    const states = [[4, 1], [1, 4]].map(async ([batchSize = 1, accumulationSteps = 1]) => {
      const data = cycleData({ batchSize, accumulationSteps });
      const model = new BigramModel(24);
      for (let step = 0; step < 5; step++) await model.step(data.batchesOf(step).batches, 0.05);
      return model.state().get("weights")!.data;
    }); // prettier-ignore
    const [one, other] = await Promise.all(states);
    one!.forEach((value, at) => assert.ok(Math.abs(value - other![at]!) < 1e-6));
  });
});

describe("a run that was ended", () => {
  test("by kill -9 at any step goes on to the bytes of one that was not", async () => {
    const folder = join(root, "killed");
    // Where it is killed comes from a fixed list of any steps; how far it came after the line it wrote is up to the
    // machine.
    for (const step of [3, 6, 17, 31]) await killAt(folder, step);
    // As if the last kill had come while a checkpoint was written.
    mkdirSync(join(folder, "checkpoints/.step-32.partial"), { recursive: true });
    await bigramRun(folder, { resume: true });
    assert.deepEqual(bytesOf(folder), bytesOf(whole));
    assert.deepEqual(readdirSync(join(folder, "checkpoints")).toSorted(), ["step-36", "step-40"]);
  });

  test("by a signal writes a checkpoint of that step and goes on to the same bytes", async () => {
    const folder = join(root, "stopped");
    for (const last of [5, 11, 12, 30]) {
      const stop = new AbortController();
      const observe = (event: TrainingEvent): void => {
        if (event.kind === "step" && event.metrics.step === last) stop.abort();
      };
      const outcome = await bigramRun(folder, { resume: true, stop: stop.signal, observe });
      assert.deepEqual([outcome.step, outcome.isFinished], [last, false]);
      assert.equal(checkpointSteps(join(folder, "checkpoints")).at(-1), last);
    }
    assert.ok((await bigramRun(folder, { resume: true })).isFinished);
    assert.deepEqual(bytesOf(folder), bytesOf(whole));
  });

  test("and makes its batches as it goes, which takes time, ends with the same bytes", async () => {
    const folder = join(root, "asynchronous");
    const laidOut = cycleData();
    const model = new BigramModel(24);
    const data: StepSource<TokenBatch> = {
      stepsPerEpoch: laidOut.stepsPerEpoch,
      batchesOf: async (step) => {
        // The batches of a step are asked for once the steps before it are done.
        const done = model.state().get("steps")!.data[0];
        await new Promise((resolve) => setTimeout(resolve, step % 3));
        assert.deepEqual([done, model.state().get("steps")!.data[0]], [step, step]);
        return laidOut.batchesOf(step);
      },
    };
    const stop = new AbortController();
    const observe = (event: TrainingEvent): void => {
      if (event.kind === "step" && event.metrics.step === 7) stop.abort();
    };
    await bigramRun(folder, { model, data, stop: stop.signal, observe });
    await bigramRun(folder, { model, data, resume: true });
    assert.deepEqual(bytesOf(folder), bytesOf(whole));
  });

  test("before its first step has nothing but an evaluation to do again", async () => {
    const folder = join(root, "at once");
    const outcome = await bigramRun(folder, { stop: AbortSignal.abort() });
    assert.deepEqual([outcome.step, outcome.isFinished, readFileSync(join(folder, "metrics.jsonl"), "utf8")], [0, false, ""]);
    await bigramRun(folder, { resume: true });
    assert.deepEqual(bytesOf(folder), bytesOf(whole));
  });

  test("after its last step has nothing left to do", async () => {
    const folder = join(root, "again");
    cpSync(whole, folder, { recursive: true });
    const seen: TrainingEvent[] = [];
    const outcome = await bigramRun(folder, { resume: true, observe: (event) => seen.push(event) });
    assert.deepEqual([outcome.step, outcome.isFinished, seen], [40, true, [{ kind: "resumed", step: 40 }]]);
    assert.deepEqual(bytesOf(folder), bytesOf(whole));
  });

  test("and has a model but no checkpoint is not begun anew over it", async () => {
    const folder = join(root, "published");
    mkdirSync(folder);
    for (const name of ["config.json", "metrics.jsonl"]) writeFileSync(join(folder, name), "{}");
    await assertRejected(bigramRun(folder, { resume: true }), "usage", /holds a model and no checkpoint to go on from/);
    assert.equal(readFileSync(join(folder, "metrics.jsonl"), "utf8"), "{}");
  });

  test("goes on only as the same run, in a folder that is asked to", async () => {
    await assertRejected(bigramRun(whole), "usage", /holds a run or a model already: --resume/);
    await assertRejected(
      bigramRun(whole, { resume: true, identity: { "--learning-rate": 0.2, data: "cycles" } }),
      "usage",
      /--learning-rate was 0\.1 when the run .* began and is 0\.2 now/,
    );
    await assertRejected(
      bigramRun(whole, { resume: true, identity: { "--learning-rate": 0.1 } }),
      "usage",
      /data was "cycles" .* is absent now/,
    );
  });

  test("refuses its only checkpoint, and metrics, that were damaged", async () => {
    const folder = join(root, "only-damaged");
    cpSync(whole, folder, { recursive: true });
    const [other, aside] = [join(folder, "checkpoints/step-36"), join(root, "step-36")];
    renameSync(other, aside);
    const state = join(folder, "checkpoints/step-40/state.safetensors");
    const bytes = readFileSync(state);
    truncateSync(state, bytes.length - 1);
    await assertRejected(bigramRun(folder, { resume: true }), "invalid_model_file", /truncated or damaged/);
    writeFileSync(state, bytes);
    writeFileSync(join(folder, "checkpoints/step-40/progress.json"), '{"step": -1}');
    await assertRejected(bigramRun(folder, { resume: true }), "invalid_model_file", /step must be a whole number/);
    rmSync(join(folder, "checkpoints/step-40"), { recursive: true });
    renameSync(aside, other);
    truncateSync(join(folder, "metrics.jsonl"), 100);
    await assertRejected(bigramRun(folder, { resume: true }), "invalid_model_file", /metrics\.jsonl has 100 bytes/);
  });

  test("because its loss is no number says so, with the last checkpoint whole", async () => {
    const folder = join(root, "diverged");
    const model = new BigramModel(24);
    const observe = (event: TrainingEvent): void => {
      if (event.kind === "step" && event.metrics.step === 6) void model.dispose();
    };
    await assertRejected(
      bigramRun(folder, { model, observe }),
      "training_diverged",
      /loss became NaN at step 7: begin anew with a lower .*step 4 is whole/,
    );
    assert.deepEqual(checkpointSteps(join(folder, "checkpoints")), [4]);
    await bigramRun(folder, { resume: true });
    assert.deepEqual(bytesOf(folder), bytesOf(whole));
  });

  test("because its last update left no numbers publishes nothing, with the last checkpoint whole", async () => {
    const folder = join(root, "no numbers");
    const model = new BigramModel(24);
    const observe = (event: TrainingEvent): void => {
      if (event.kind === "step" && event.metrics.step === 40) void model.dispose();
    };
    await assertRejected(
      bigramRun(folder, { model, observe, evaluation: undefined }),
      "training_diverged",
      /tensor "weights" became NaN at step 40: begin anew with a lower .*step 36 is whole/,
    );
    assert.deepEqual(readdirSync(join(folder, "checkpoints")).toSorted(), ["step-32", "step-36"]);
    await bigramRun(folder, { resume: true, evaluation: undefined });
    const state = (of: string): Buffer => readFileSync(join(of, "checkpoints/step-40/state.safetensors"));
    assert.ok(state(folder).equals(state(whole)));
  });

  /** Starts the run as a process and kills it once it has said this step. */
  async function killAt(folder: string, step: number): Promise<void> {
    const child = spawn(process.execPath, ["--import", "tsx", program, folder], { stdio: ["ignore", "pipe", "inherit"] });
    const closed = new Promise((resolve) => {
      child.on("close", (_, signal) => resolve(signal));
    });
    for await (const line of createInterface(child.stdout)) if (line === `step ${step}`) child.kill("SIGKILL");
    assert.equal(await closed, "SIGKILL");
  }
});

describe("a run whose newest checkpoint is damaged", () => {
  const damages: Record<string, (checkpoint: string) => void> = {
    "one bit of its state is another": (checkpoint) => flipBit(join(checkpoint, "state.safetensors")),
    "its state is cut": (checkpoint) => truncateSync(join(checkpoint, "state.safetensors"), 100),
    "its state is gone": (checkpoint) => rmSync(join(checkpoint, "state.safetensors")),
    "its progress is empty": (checkpoint) => truncateSync(join(checkpoint, "progress.json"), 0),
    "its progress is of another shape": (checkpoint) => writeFileSync(join(checkpoint, "progress.json"), '{"step": "x"}'),
  };
  for (const [damage, spoil] of Object.entries(damages)) {
    test(`goes on from the one before when ${damage}, and says so`, async () => {
      const folder = join(root, "damaged");
      rmSync(folder, { recursive: true, force: true });
      await stoppedAt(folder, 12);
      const newest = join(folder, "checkpoints/step-12");
      spoil(newest);
      const seen: TrainingEvent[] = [];
      await bigramRun(folder, { resume: true, observe: (event) => seen.push(event) });
      assert.deepEqual(
        seen.slice(0, 2).map((event) => ("path" in event ? [event.kind, event.path] : [event.kind, "step" in event && event.step])),
        [
          ["checkpoint passed over", `${newest}.damaged`],
          ["resumed", 8],
        ],
      );
      assert.deepEqual(bytesOf(folder), bytesOf(whole));
      assert.deepEqual(readdirSync(join(folder, "checkpoints")).toSorted(), ["step-12.damaged", "step-36", "step-40"]);
    });
  }

  test("is refused, with the newest one's damage, when all others are damaged too", async () => {
    const folder = join(root, "all-damaged");
    await stoppedAt(folder, 12);
    for (const step of [8, 12]) flipBit(join(folder, `checkpoints/step-${step}/state.safetensors`));
    await assert.rejects(bigramRun(folder, { resume: true }), { code: "invalid_model_file", message: /step-12.*damaged/ });
    assert.deepEqual(checkpointSteps(join(folder, "checkpoints")), [8, 12]);
  });

  test("takes a checkpoint of an earlier version, which has no checksum", async () => {
    const folder = join(root, "unchecked");
    await stoppedAt(folder, 12);
    const path = join(folder, "checkpoints/step-12/progress.json");
    const { stateChecksum, ...progress } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    assert.equal(typeof stateChecksum, "number");
    writeFileSync(path, JSON.stringify(progress));
    await bigramRun(folder, { resume: true });
    assert.deepEqual(bytesOf(folder), bytesOf(whole));
  });
});

/** Runs until after that step, which leaves checkpoints of it and of the step four before. */
async function stoppedAt(folder: string, last: number): Promise<void> {
  const stop = new AbortController();
  const observe = (event: TrainingEvent): void => {
    if (event.kind === "step" && event.metrics.step === last) stop.abort();
  };
  await bigramRun(folder, { stop: stop.signal, observe });
}

/** Changes one bit in the second half of a file. */
function flipBit(path: string): void {
  const bytes = readFileSync(path);
  bytes[Math.floor(bytes.length * 0.75)]! ^= 1;
  writeFileSync(path, bytes);
}

describe("a full disk", () => {
  test("stops the run with a clear error and the last checkpoint whole; with room it goes on to the same bytes", async (t) => {
    const folder = join(root, "full");
    const unmount = smallDisk(folder, 40);
    if (unmount === undefined) return t.skip(withoutSmallDisk);
    try {
      const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", program, folder], { encoding: "utf8" });
      assert.equal(status, 1);
      assert.match(stderr, /^write_failed: .*full.* cannot be written: the disk is full\.\n$/);
      const [newest = 0] = checkpointSteps(join(folder, "checkpoints")).slice(-1);
      assert.ok(newest >= 4 && readCheckpoint(join(folder, `checkpoints/step-${newest}`)).progress.step === newest);
      assert.ok(readdirSync(join(folder, "checkpoints")).every((name) => name.startsWith("step-")));
      cpSync(folder, join(root, "roomy"), { recursive: true });
    } finally {
      unmount();
    }
    await bigramRun(join(root, "roomy"), { resume: true });
    assert.deepEqual(bytesOf(join(root, "roomy")), bytesOf(whole));
  });

  test("or a limit on the size of files does the same", () => {
    const folder = join(root, "limited");
    // In blocks of 1024 bytes (bash): a checkpoint of the bigram model has some 7 KB, so the metrics reach the limit
    // first.
    const { status, stderr } = spawnSync(
      "bash",
      ["-c", `ulimit -f 8; exec "$0" --import tsx "$1" "$2"`, process.execPath, program, folder],
      {
        encoding: "utf8",
        env: { ...process.env, TSX_DISABLE_CACHE: "1" },
      },
    );
    assert.equal(status, 1, stderr);
    assert.match(stderr, /^write_failed: .*metrics\.jsonl cannot be written: the system allows no file this large\.\n$/);
    assert.ok(checkpointSteps(join(folder, "checkpoints")).length > 0);
    assert.ok(existsSync(join(folder, "checkpoints")));
  });
});
