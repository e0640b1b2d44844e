/**
 * @file The length penalty of a real reward model: what is measured, what is kept, and that the served model then goes
 * less by length.
 */

import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { runEvaluateCommand } from "../../src/cli/commands/evaluate.ts";
import { readRewardConfig } from "../../src/reward/reward-config.ts";
import { judge } from "../../src/teddy/judge/judge.ts";
import { quietCommand, type CommandOutcome } from "../fixtures/quiet-command.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { teddyAnswers } from "../evaluation/reward/judged-answers.ts";

const folder = temporaryFolder();
const pairs = join(folder, "pairs.jsonl");
const model = join(folder, "rm");

process.env["XDG_CACHE_HOME"] = join(folder, "cache");
// As it was trained, without a penalty, whatever the embedded one has by now.
cpSync(join("models", "teddy-rm"), model, { recursive: true });
const { length_penalty: _, ...unpenalized } = JSON.parse(readFileSync(join(model, "reward.json"), "utf8")) as Record<string, unknown>;
writeFileSync(join(model, "reward.json"), JSON.stringify(unpenalized));
const rows = Array.from({ length: 40 }, (_unused, index) => teddyAnswers(index)).flatMap(({ prompt, answers }) => {
  const [better, worse] = answers.map((text) => ({ text, ...judge(prompt, text) })).toSorted((one, other) => other.score - one.score);
  return better!.score === worse!.score ? [] : [{ prompt, chosen: better!.text, rejected: worse!.text }];
});
writeFileSync(pairs, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

async function evaluate(context: TestContext, ...args: string[]): Promise<CommandOutcome> {
  return quietCommand(context, () => runEvaluateCommand(["length", ...args]));
}

/** By the part that is taken off: penalty, correlation left, accuracy by labels. */
function rowsOf(output: string): Map<string, number[]> {
  const found = [...output.matchAll(/^\| ([\d.]+(?: \(chosen\))?) \| (.*) \|$/gm)];
  return new Map(found.map(([, share, cells]) => [share!, cells!.split(" | ").map(Number)]));
}

test("a part of the liking for length is kept as a penalty, with the scale anew, and rewards go less by length from then on", async (context) => {
  const before = readRewardConfig(model);
  const measured = await evaluate(context, "--model", model, "--dataset", pairs, "--share", "0.4");
  assert.equal(measured.status, 0, measured.errors);
  assert.deepEqual(readRewardConfig(model), before);
  const [none, chosen, all] = ["0", "0.4 (chosen)", "1"].map((share) => rowsOf(measured.output).get(share)!);
  assert.equal(none![0], 0);
  assert.ok(Math.abs(chosen![0]! - 0.4 * all![0]!) < 0.001 && all![0]! > 0, measured.output);
  assert.ok(none![1]! > chosen![1]! && chosen![1]! > 0 && Math.abs(all![1]!) < 0.001, measured.output);
  assert.match(measured.output, /with gold \| with raters \(among themselves 0\.\d{3}\)/);

  assert.equal((await evaluate(context, "--model", model, "--dataset", pairs, "--share", "0.4", "--write")).status, 0);
  const { lengthPenalty, normalization, ...rest } = readRewardConfig(model);
  const { normalization: scaleBefore, ...restBefore } = before;
  assert.deepEqual(rest, restBefore);
  assert.deepEqual(normalization.dimensions, scaleBefore.dimensions);
  assert.notDeepEqual(normalization.holistic, scaleBefore.holistic);
  assert.ok(Math.abs(lengthPenalty!.perHundred - chosen![0]!) < 0.001);
  assert.match(
    lengthPenalty!.reference,
    /^40% of the slope of its rewards on the length of \d+ answers to \d+ prompts of pairs, on which the whole has its scale$/,
  );
  const card = readFileSync(join(model, "README.md"), "utf8");
  assert.ok(card.includes("## Length") && card.includes("| 0.4 (chosen) |"));

  // What is served has the penalty: measured anew it is taken back first, and the answer is the same.
  const again = await evaluate(context, "--model", model, "--dataset", pairs, "--share", "0.4");
  assert.deepEqual([...rowsOf(again.output)], [...rowsOf(measured.output)]);
  await evaluate(context, "--model", model, "--dataset", pairs, "--share", "0", "--write");
  assert.equal(readRewardConfig(model).lengthPenalty, undefined);
});

test("wrong usage names the flag, and a policy is no reward model", async (context) => {
  for (const [args, message] of [
    [["--dataset", pairs], /--model/],
    [["--model", model], /--dataset/],
    [["--model", model, "--dataset", pairs, "--share", "2"], /--share/],
    [["--model", join("models", "teddy-sft"), "--dataset", pairs], /has no reward\.json: it is no reward model/],
  ] as const) {
    const { status, errors } = await evaluate(context, ...args);
    assert.equal(status, 2, errors);
    assert.match(errors, message);
  }
});
