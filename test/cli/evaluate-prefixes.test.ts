/**
 * @file The measurement of prefixes with the embedded models: what it prints, and what it leaves where the server
 * finds it.
 */

import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { runEvaluateCommand } from "../../src/cli/commands/evaluate.ts";
import { readRewardConfig } from "../../src/reward/reward-config.ts";
import { prompt } from "../../src/teddy/writer/demonstration.ts";
import { goldenPath } from "../architectures/goldens.ts";
import { quietCommand, type CommandOutcome } from "../fixtures/quiet-command.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const folder = temporaryFolder();
const prompts = join(folder, "prompts.jsonl");
const rewardModel = join(folder, "rm");
process.env["XDG_CACHE_HOME"] = join(folder, "cache");
cpSync(join("models", "teddy-rm"), rewardModel, { recursive: true });

async function evaluate(context: TestContext, ...args: string[]): Promise<CommandOutcome> {
  return quietCommand(context, () => runEvaluateCommand(["prefixes", ...args]));
}

test("the measurement goes to the terminal, and with --write into reward.json and the card", async (context) => {
  writeFileSync(
    prompts,
    Array.from({ length: 12 }, (_, index) => `${JSON.stringify({ prompt: prompt(5, index, "held-out").messages })}\n`).join(""),
  );
  const args = ["--model", join("models", "teddy-sft"), "--reward-model", rewardModel, "--prompts", prompts];
  const quick = [...args, "--samples", "4", "--lengths", "4,12", "--max-tokens", "60"];
  const before = readRewardConfig(rewardModel);
  const { status, output, errors } = await evaluate(context, ...quick);
  assert.equal(status, 0, errors);
  assert.match(output, /12 prompts, 4 answers of teddy-sft to each at temperature 1/);
  assert.match(output, /\| tokens of the prefix \| 4 \| 12 \|\n.*\n\| correlation \| -?[01]\.\d{3} \| -?[01]\.\d{3} \|/);
  assert.match(output, /\n\| 4 \| .* \| \d+\.\d% \| -?\d+\.\d% \| -?\d+\.\d% \|/);
  assert.deepEqual(readRewardConfig(rewardModel), before);

  const written = await evaluate(context, ...quick, "--write");
  const { prefixes, ...rest } = readRewardConfig(rewardModel);
  const { prefixes: _, ...others } = before;
  assert.deepEqual(rest, others);
  assert.deepEqual(
    prefixes!.correlations.map(({ tokens }) => tokens),
    [4, 12],
  );
  const first = prefixes!.correlations[0];
  assert.ok(written.output.includes(first!.correlation.toFixed(3)));
  assert.ok(readFileSync(join(rewardModel, "README.md"), "utf8").includes("## Prefixes"));
  // The same seed, the same measurement.
  assert.equal(written.output.split("\n")[4], output.split("\n")[4]);
});

test("with --continuations it also says what a perfect judge of prefixes would know and save", async (context) => {
  const row = { prompt: prompt(5, 0, "held-out").messages };
  writeFileSync(prompts, Array.from({ length: 3 }, () => `${JSON.stringify(row)}\n`).join(""));
  const args = ["--model", join("models", "teddy-sft"), "--reward-model", rewardModel, "--prompts", prompts, "--samples", "16"];
  const { status, output, errors } = await evaluate(context, ...args, "--lengths", "1,12", "--max-tokens", "40", "--continuations", "2");
  assert.equal(status, 0, errors);
  const [own, perfect] = [...output.matchAll(/\n\| correlation \| (-?[01]\.\d{3}) \| (-?[01]\.\d{3}) \|/g)].map(([, ...found]) =>
    found.map(Number),
  );
  assert.equal(own!.length, 2);
  // A token decides less than twelve of some thirty-five.
  assert.ok(perfect![0]! < perfect![1]! && perfect![1]! > 0.1 && perfect![1]! <= 1, String(perfect));
  assert.match(output, /estimated from 2 more continuations of each prefix[^]*\n\| 16 \| .* \| \d+\.\d% \|\n/);
});

test("--write is refused at once where the reward model has no reward.json to keep the measurement in", async (context) => {
  writeFileSync(prompts, `${JSON.stringify({ prompt: prompt(5, 0, "held-out").messages })}\n`);
  const policy = join("models", "teddy-sft");
  const { status, errors } = await evaluate(context, "--model", policy, "--reward-model", join("models", "teddy-base"), "--prompts", prompts, "--write"); // prettier-ignore
  assert.deepEqual([status, /--write keeps the measurement in the reward model's reward\.json, and teddy-base has none/.test(errors)], [2, true], errors); // prettier-ignore
});

test("a reward model that is an adapter is measured over its base, and keeps the measurement beside its weights", async (context) => {
  const base = goldenPath("llama");
  const adapter = join(folder, "adapter");
  cpSync(join(base, "../../rewards/adapter"), adapter, { recursive: true });
  const config = join(adapter, "adapter_config.json");
  writeFileSync(config, JSON.stringify({ ...(JSON.parse(readFileSync(config, "utf8")) as object), base_model_name_or_path: base }));
  writeFileSync(prompts, ["say cat", "say dog", "hello"].map((text) => `${JSON.stringify({ prompt: text })}\n`).join(""));
  const args = [
    "--model",
    base,
    "--reward-model",
    adapter,
    "--prompts",
    prompts,
    "--samples",
    "16",
    "--lengths",
    "2,4",
    "--max-tokens",
    "8",
  ];
  const { status, errors } = await evaluate(context, ...args, "--write");
  assert.equal(status, 0, errors);
  assert.match(readRewardConfig(adapter).prefixes!.reference, /^3 prompts, 16 answers of llama/);
});

test("wrong usage names the flag", async (context) => {
  for (const [args, message] of [
    [[], /Give --model/],
    [["--model", "a", "--reward-model", "b", "--prompts", "c", "--lengths", "8,4"], /--lengths must ascend/],
    [["--model", "a", "--reward-model", "b", "--prompts", "c", "--samples", "1"], /--samples must be a whole number from 2 to 64, not 1/],
  ] as const) {
    const { status, errors } = await evaluate(context, ...args);
    assert.deepEqual([status, message.test(errors)], [2, true], errors);
  }
});
