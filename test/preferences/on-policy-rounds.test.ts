/**
 * @file On-policy rounds with a real (tiny) model: each begins where the one before ended, and a run that was ended
 * anywhere comes to the same bytes.
 */

import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { checkRounds, trainInRounds } from "../../src/preferences/on-policy-rounds.ts";
import { DpoSchema } from "../../src/config/dpo-training-options.ts";
import { readTrainingOptions, trainingFlags } from "../../src/config/training-command-line.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { readPeftAdapter } from "../../src/formats/peft-adapter.ts";
import { readMetricLines } from "../../src/training/run/metrics-file.ts";
import type { RunOutcome, TrainingEvent } from "../../src/training/run/training-loop.ts";
import { assertRejected } from "../formats/expect-error.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { soundPairs } from "../training/preference/preference-rows.ts";
import { writeJsonLines } from "../training/data/sound-rows.ts";

const root = temporaryFolder();
const model = join(root, "tiny");
const prompts = join(root, "prompts.jsonl");
const promptCount = 24;
const heldOut = writeJsonLines(join(root, "held-out.jsonl"), soundPairs());

process.env["XDG_CACHE_HOME"] = join(root, "cache");
writeTinyModel(model, { contextLength: 256 });
writeJsonLines(
  prompts,
  Array.from({ length: promptCount }, (_, index) => ({ prompt: [{ role: "user", content: `say ${index}` }] })),
);

interface Run {
  /** Ends the run after a step of a round: the number of steps that were heard before. */
  stopAfter?: number;
  /** Ends it when this is said. */
  stopAt?: RegExp;
}

/** Rounds by the words of their command line, in the output folder `name`; shorter answers are better. */
async function run(name: string, words: string, { stopAfter, stopAt }: Run = {}): Promise<RunOutcome> {
  const shared = ["--model", model, "--prompts", prompts, "--judge", "length=0", "--output-dir", join(root, name), "--max-tokens", "24"];
  const fixed = ["--eval-dataset", heldOut, "--learning-rate", "1e-2", "--batch-size", "4", "--packing"];
  const invocation = readTrainingOptions(DpoSchema, [...shared, ...fixed, ...words.split(" ")]);
  assert.ok(invocation.kind === "run");
  checkRounds(invocation.options);
  const stop = new AbortController();
  let steps = 0;
  const training = {
    command: "npm run …",
    flags: trainingFlags(DpoSchema, invocation.options),
    versions: { bonsai: "test" },
    modelPath: model,
    options: invocation.options,
    stop: stop.signal,
    log: (line: string) => {
      if (stopAt?.test(line) === true) stop.abort();
    },
    observe: ({ kind }: TrainingEvent) => {
      if (kind === "step" && ++steps === stopAfter) stop.abort();
    },
  };
  return trainInRounds(training, () => ({ update: () => undefined, end: () => undefined }));
}

const evaluationsOf = (name: string, round: number): readonly Record<string, number>[] =>
  readMetricLines(join(root, name, `round-${round}`, "policy", "metrics.jsonl")).evaluations;

const rowsOf = (...path: string[]): Record<string, unknown>[] =>
  readFileSync(join(root, ...path), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>); // prettier-ignore

const words = "--rounds 2 --strongest 0 --max-steps 16";

describe("rounds", () => {
  for (const [name, more] of [
    ["full", ""],
    ["lora", " --lora-r 4 --lora-dropout 0"],
  ] as const) {
    test(`begin where the round before ended, and measure themselves by the first model: ${name}`, async () => {
      const outcome = await run(name, words + more);
      assert.deepEqual([outcome.isFinished, outcome.step], [true, 16]);
      const [first, second] = [evaluationsOf(name, 1), evaluationsOf(name, 2)];
      assert.ok(Math.abs(first[0]!["eval_loss"]! - Math.log(2)) < 1e-5, "the first round begins at the reference");
      for (const metric of ["eval_loss", "eval_rewards/chosen", "eval_rewards/rejected"]) {
        const [ended, began] = [first.at(-1)![metric]!, second[0]![metric]!];
        assert.ok(Math.abs(ended - began) < 1e-4, `${metric}: ended at ${ended}, began at ${began}`);
      }
      assert.ok(Math.abs(second[0]!["eval_rewards/chosen"]!) > 1e-3, "the second round is away from the reference");
    });
  }

  test("ask each prompt once, answer with the policy as it is then, and teach it what the judge likes", () => {
    const asked = [1, 2].flatMap((round) => rowsOf("full", `round-${round}`, "prompts.jsonl").map(({ prompt }) => JSON.stringify(prompt)));
    assert.deepEqual([asked.length, new Set(asked).size], [promptCount, promptCount]);
    const answers = [1, 2].map((round) =>
      rowsOf("full", `round-${round}`, "pairs", "journal.jsonl")
        .slice(1)
        .flatMap(({ candidates }) => (candidates as { text: string }[]).map(({ text }) => text.split(/\s+/).length)),
    );
    const [first, second] = answers.map((lengths) => lengths.reduce((sum, length) => sum + length, 0) / lengths.length);
    assert.ok(second! < 0.9 * first!, `words: ${first} in the first round, ${second} in the second`);
  });

  test("leave the last policy in the run's own folder, with a line for each round in its card", () => {
    for (const file of ["model.safetensors", "config.json", "tokenizer.json", "metrics.jsonl"])
      assert.ok(readFileSync(join(root, "full", file)).equals(readFileSync(join(root, "full", "round-2", "policy", file))), file);
    openModel(join(root, "full")).weights.close();
    assert.equal(readPeftAdapter(join(root, "lora"), "llama").rank, 4);
    assert.match(
      readFileSync(join(root, "full", "README.md"), "utf8"),
      /\n# full\n[^]*## Rounds\n[^]*\n\| 1 \| \d+ \| 16 \|.*\n\| 2 \| \d+ \| 16 \|/,
    );
  });

  test("come to the same bytes when they are ended in a collection and in a round, and go on; more rounds may follow", async () => {
    const ends: Run[] = [{ stopAt: /^Round 1/ }, { stopAfter: 2 }, { stopAt: /^Round 2/ }, { stopAfter: 1 }];
    for (const end of ends) assert.equal((await run("pieces", `${words} --resume`, end)).isFinished, false);
    assert.equal((await run("pieces", `${words} --resume`)).isFinished, true);
    assert.equal((await run("pieces", `${words} --resume`)).isFinished, true, "once more changes nothing");
    const files = [1, 2].flatMap((round) => ["pairs/preferences.jsonl", "policy/model.safetensors", "policy/metrics.jsonl"].map((file) => `round-${round}/${file}`)); // prettier-ignore
    for (const file of [...files, "model.safetensors"])
      assert.ok(readFileSync(join(root, "pieces", file)).equals(readFileSync(join(root, "full", file))), file);
    const few = "--prompts-per-round 6 --max-steps 2 --resume";
    await run("longer", `--rounds 1 ${few}`);
    const firstRound = readFileSync(join(root, "longer", "round-1", "policy", "model.safetensors"));
    await run("longer", `--rounds 2 ${few}`);
    assert.ok(firstRound.equals(readFileSync(join(root, "longer", "round-1", "policy", "model.safetensors"))));
    assert.ok(existsSync(join(root, "longer", "round-2", "policy", "model.safetensors")));
  });

  test("train on given pairs beside their own", async () => {
    await run("beside", `--rounds 1 --max-steps 1 --dataset ${heldOut}`);
    const { data } = JSON.parse(readFileSync(join(root, "beside", "training.json"), "utf8")) as { data: { pairs: number } };
    assert.equal(data.pairs, soundPairs().length + rowsOf("beside", "round-1", "pairs", "preferences.jsonl").length);
  });
});

describe("rounds are refused", () => {
  test("where they go on as others, or in a folder of something else", async () => {
    await assertRejected(run("full", words), "usage", /holds rounds that were begun: --resume/);
    await assertRejected(run("full", `${words} --resume --beta 0.2`), "usage", /--beta was 0\.1 .* is 0\.2 now/);
    await assertRejected(run("full", `${words} --resume --samples 5`), "usage", /--samples was 4 /);
    await assertRejected(run("full", "--rounds 3 --strongest 0 --max-steps 16 --resume"), "usage", /--rounds was 2 .* is 3 now/);
    cpSync(model, join(root, "taken"), { recursive: true });
    await assertRejected(run("taken", words), "usage", /holds a model or a run that is not of rounds/);
    const moved = readFileSync(prompts, "utf8");
    writeFileSync(prompts, moved.split("\n").toReversed().join("\n").trimStart());
    await assertRejected(run("full", `${words} --resume`), "usage", /the content of --prompts was/);
    writeFileSync(prompts, moved);
    rmSync(join(root, "taken"), { recursive: true });
  });

  test("without prompts or a judge, for too few prompts, and where there are none", async () => {
    await assertRejected(run("none", "--rounds 2 --prompts-per-round 13"), "usage", /holds 24 prompts, and 2 rounds of 13 need more/);
    await assertRejected(run("none", "--rounds 25"), "usage", /25 rounds of 1 need more/);
    const check = (given: string): void => {
      const invocation = readTrainingOptions(DpoSchema, `--model m --output-dir o ${given}`.split(" "));
      if (invocation.kind === "run") checkRounds(invocation.options);
    };
    assert.throws(() => check("--rounds 1 --judge gold"), /--rounds needs --prompts/);
    assert.throws(() => check("--rounds 1 --prompts p"), /--rounds needs --judge/);
    assert.throws(() => check("--dataset d --judge gold"), /--judge is of rounds: give --rounds as well/);
    assert.throws(() => check("--judge gold --prompts p"), /--dataset FILE/);
    assert.equal(existsSync(join(root, "none")), false);
  });
});
