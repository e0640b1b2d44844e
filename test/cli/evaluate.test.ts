/**
 * @file The report on policies, with a real (tiny) model: what it writes, and what it refuses before anything is
 * computed.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { beforeEach, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { runEvaluateCommand } from "../../src/cli/commands/evaluate.ts";
import { prompt } from "../../src/teddy/writer/demonstration.ts";
import { wordsOf } from "../../src/text/words.ts";
import { quietCommand, type CommandOutcome } from "../fixtures/quiet-command.ts";
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
async function evaluate(context: TestContext, ...args: string[]): Promise<CommandOutcome> {
  return quietCommand(context, () => runEvaluateCommand(args));
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

/** A model over HTTP that prefers the longer of two answers, as a language model would say it. */
async function startLengthJudge(context: TestContext): Promise<string> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { messages } = (await json(request)) as { messages: { content: string }[] };
    const [first, second] = ["A", "B"].map(
      (name) => new RegExp(`\\[Answer ${name}\\]\\n([^]*?)\\n\\[End of answer`).exec(messages[0]!.content)![1]!,
    );
    const [one, other] = [wordsOf(first!).length, wordsOf(second!).length];
    const content = one === other ? "[[C]]" : one > other ? "[[A]]" : "[[B]]";
    response.end(JSON.stringify({ choices: [{ message: { role: "assistant", content }, finish_reason: "stop" }] }));
  };
  const server = createServer((request, response) => void answer(request, response));
  await once(server.listen(0, "127.0.0.1"), "listening");
  context.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

test("any judge compares policies on any prompts: rules, a reward model, a language model over HTTP", async (context) => {
  const other = join(folder, "other");
  writeTinyModel(other, { contextLength: 512, seed: 9 });
  writeFileSync(
    prompts,
    ["say cat", "say dog", "say bear"].map((text) => `${JSON.stringify({ prompt: text, unsafe: text === "say dog" })}\n`).join(""),
  );
  const rewards = fileURLToPath(new URL("../oracle/rewards/llama", import.meta.url));
  const url = await startLengthJudge(context);
  const chart = join(folder, "comparison.svg");
  const { status, output, errors } = await evaluate(
    context,
    ..."policy --samples 4 --max-tokens 10 --judge length --judge llm=judge".split(" "),
    "--model",
    other,
    "--baseline",
    model,
    "--prompts",
    prompts,
    "--card",
    card,
    "--judge-url",
    url,
    "--judge",
    `reward=${rewards}`,
    "--chart",
    chart,
  );
  assert.equal(status, 0, errors);
  // What the language model says is what the rule says: both prefer the longer answer.
  const [byRule, byModel] = ["length", "llm=judge"].map((name) => new RegExp(`\\| other \\| ${name} \\| (.*) \\|`).exec(output)?.[1]);
  assert.ok(byRule !== undefined && byRule === byModel, `${byRule}\n${byModel}`);
  assert.match(output, /\n\| other \| reward=\S+ \| [01]\.\d{3} \([\d.]+ to [\d.]+\) \|/);
  for (const row of [/length/, /reward=\S+/, /reward=\S+: usefulness/, /reward=\S+: safety/])
    assert.match(output, new RegExp(`\\n\\| ${row.source} \\| -?[\\d.]+ ± [\\d.]+ \\| -?[\\d.]+ ± [\\d.]+ \\|`));
  assert.doesNotMatch(output, /gold|usefulness \| friendliness/);
  const written = readFileSync(card, "utf8");
  assert.match(
    written,
    /## Comparison\n[^]*\[Scores and win rates\]\(comparison\.svg\)[^]*> \*\*user\*\*: say cat\n>\n> \*\*other\*\*: [^]*> \*\*tiny\*\*: /,
  );
  assert.ok(written.includes("scores of before"), "other sections stay");
  assert.match(readFileSync(chart, "utf8"), /better than tiny, by length/);
});

test("a prompt that is none is an error that names its line", async (context) => {
  for (const [row, message] of [
    ['{"prompt": 1}', /prompts\.jsonl:4: prompt must be a text, not a number/],
    ['{"prompt": "text", "unsafe": "yes"}', /prompts\.jsonl:4: unsafe must be true or false/],
    [
      '{"prompt": [{"role": "user", "content": "What is the capital of France?"}]}',
      /prompts\.jsonl:4: prompt must end in a question of the teddy world, since gold judges; another --judge takes any prompt/,
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
    [["rewards"], 2, /policy, reward, prefixes or length/],
    [["policy", "--prompts", prompts], 2, /--model/],
    [["policy", "--model", model], 2, /--prompts/],
    [[...given, "--samples", "65"], 2, /--samples must be a whole number from 1 to 64, not 65/],
    [[...given, "--temperature", "hot"], 2, /--temperature must be a number from 0, not "hot"/],
    [[...given, "--card", join(folder, "none.md")], 1, /no card .*none\.md/],
    [[...given, "--what"], 2, /--what/],
    [[...given, "--judge", "oracle"], 2, /there is no such judge/],
    [[...given, "--judge", "gold", "--judge", "gold"], 2, /--judge gold is given twice/],
    [[...given, "--judge", "rewrite"], 2, /--judge rewrite: it compares rewrites/],
    [[...given, "--judge", "llm=m", "--judge-url", "here"], 2, /--judge-url must be an address such as .*, not "here"/],
    [[...given, "--judge", `reward=${model}`], 1, /scores none/],
    [[...given, "policy"], 2, /Word 5 of the arguments belongs to no option/],
  ] as const) {
    const result = await evaluate(context, ...args);
    assert.equal(result.status, status, result.errors);
    assert.match(result.errors, message);
  }
});
