/** @file The report on policies, with a real (tiny) model: what it writes, and what it refuses before anything is computed. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, test, type TestContext } from "node:test";
import { runEvaluateCommand } from "../../src/cli/evaluate-command.ts";
import { prompt } from "../../src/teddy/demonstration.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";

const folder = temporaryFolder();
const model = join(folder, "tiny");
const prompts = join(folder, "prompts.jsonl");
const card = join(folder, "README.md");

beforeEach(() => {
  process.env["XDG_CACHE_HOME"] = join(folder, "cache");
  writeTinyModel(model, { contextLength: 512 });
  writeFileSync(prompts, [0, 1, 2].map((index) => `${JSON.stringify({ prompt: prompt(5, index, "held-out").messages })}\n`).join(""));
  writeFileSync(card, "# tiny\n\n## Gold scores\n\nscores of before\n\n## Made by\n\nus\n");
});

/** Runs the command; what it printed, and its exit status. */
async function evaluate(context: TestContext, ...args: string[]): Promise<{ status: number; output: string; errors: string }> {
  const [log, error] = (["log", "error"] as const).map((name) => context.mock.method(console, name, () => undefined));
  const status = await runEvaluateCommand(args);
  const lines = (mock: typeof log): string => mock!.mock.calls.map(({ arguments: [line] }) => String(line)).join("\n");
  const result = { status, output: lines(log), errors: lines(error) };
  context.mock.restoreAll();
  return result;
}

test("a policy's gold scores go to the terminal and into its card, with its answers", async (context) => {
  const args = [
    "policy",
    "--model",
    `mine=${model}`,
    "--prompts",
    prompts,
    "--limit",
    "2",
    "--samples",
    "3",
    "--max-tokens",
    "6",
    "--card",
    card,
  ];
  const { status, output } = await evaluate(context, ...args);
  assert.equal(status, 0);
  assert.match(output, /^2 prompts, 3 answers of each at temperature 1/);
  assert.match(output, /\| mine \| [\d.]+ ± [\d.]+ \|/);
  assert.match(output, /\| mine, best of 3 by gold \|/);
  const written = readFileSync(card, "utf8");
  assert.ok(written.includes(output.split("\n")[2]!), "the table is in the card");
  assert.match(written, /> \*\*user\*\*: [^]*> \*\*answer\*\*: [^]*Score 0\.\d\d: usefulness/);
  assert.ok(!written.includes("scores of before") && written.endsWith("## Made by\n\nus\n"));
  // The same seed, the same answers.
  await evaluate(context, ...args);
  assert.equal(readFileSync(card, "utf8"), written);
});

test("a prompt that is none is an error that names its line", async (context) => {
  for (const [row, message] of [
    ['{"prompt": "text"}', /prompts\.jsonl:4: prompt must be a list of \{role, content\}/],
    [
      '{"prompt": [{"role": "user", "content": "What is the capital of France?"}]}',
      /prompts\.jsonl:4: prompt must end in a question of the teddy world/,
    ],
    ["no JSON", /prompts\.jsonl:4/],
  ] as const) {
    writeFileSync(prompts, `${row}\n`, { flag: "a" });
    const { status, errors } = await evaluate(context, "policy", "--model", model, "--prompts", prompts);
    assert.deepEqual([status, message.test(errors)], [1, true], errors);
    writeFileSync(prompts, readFileSync(prompts, "utf8").split("\n").slice(0, 3).join("\n") + "\n");
  }
  writeFileSync(prompts, "\n");
  const { status, errors } = await evaluate(context, "policy", "--model", model, "--prompts", prompts);
  assert.deepEqual([status, /holds no prompts/.test(errors)], [1, true], errors);
});

test("wrong usage is refused at once, naming the flag", async (context) => {
  const given = ["policy", "--model", model, "--prompts", prompts];
  for (const [args, status, message] of [
    [["rewards"], 2, /policy, reward or prefixes/],
    [["policy", "--prompts", prompts], 2, /--model/],
    [["policy", "--model", model], 2, /--prompts/],
    [[...given, "--samples", "65"], 2, /--samples is "65"; it must be an integer from 1 to 64/],
    [[...given, "--temperature", "hot"], 2, /--temperature is "hot"/],
    [[...given, "--card", join(folder, "none.md")], 1, /no card .*none\.md/],
    [[...given, "--what"], 2, /--what/],
  ] as const) {
    const result = await evaluate(context, ...args);
    assert.equal(result.status, status, result.errors);
    assert.match(result.errors, message);
  }
});
