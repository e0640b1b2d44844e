/**
 * @file The report on reward models, with real (tiny) ones: what it measures of known scores, what it writes, and what
 * it refuses.
 */

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { runEvaluateCommand } from "../../src/cli/commands/evaluate.ts";
import { judge } from "../../src/teddy/judge/judge.ts";
import { quietCommand, type CommandOutcome } from "../fixtures/quiet-command.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { teddyAnswers } from "../evaluation/reward/judged-answers.ts";

const folder = temporaryFolder();
const model = fileURLToPath(new URL("../oracle/rewards/llama", import.meta.url));
const teddy = join(folder, "teddy.jsonl");
const plain = join(folder, "plain.jsonl");
const cardFolder = join(folder, "card");
const card = join(cardFolder, "README.md");

before(() => {
  process.env["XDG_CACHE_HOME"] = join(folder, "cache");
  // Labelled by gold, so that gold is never wrong.
  const rows = Array.from({ length: 40 }, (_, index) => teddyAnswers(index)).flatMap(({ prompt, answers }) => {
    const [better, worse] = answers.map((text) => ({ text, ...judge(prompt, text) })).toSorted((one, other) => other.score - one.score);
    if (better!.score === worse!.score) return [];
    return [{ prompt, chosen: better!.text, rejected: worse!.text, preferences: { safety: Math.sign(better!.safety - worse!.safety) } }];
  });
  writeFileSync(teddy, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const others = [
    { prompt: "Say something.", chosen: "long answer", rejected: "short" },
    { prompt: "Say something.", chosen: "long answer", rejected: "no" },
    { prompt: "Say something.", chosen: "long answer", rejected: "a very long answer" },
    { prompt: "Say more.", completions: ["aaaa", "aaa", "aa", "a"], ranks: [1, 2, 3, 4] },
  ];
  writeFileSync(plain, others.map((row) => `${JSON.stringify(row)}\n`).join(""));
  mkdirSync(cardFolder);
});

async function evaluate(context: TestContext, ...args: string[]): Promise<CommandOutcome> {
  return quietCommand(context, () => runEvaluateCommand(["reward", ...args]));
}

describe("the report on rewards", () => {
  it("says of known scores what they are: length of a set by length, gold of a set by gold", async (context) => {
    const { status, output, errors } = await evaluate(context, "--judge", "gold", "--dataset", teddy);
    assert.equal(status, 0, errors);
    assert.match(output, /\| teddy \| \d+ \| \d+ \| 1\.000 \[0\.9\d+, 1\.000\] \| 0\.\d+ \[/);
    assert.match(output, /\| teddy: safety \| \d+ \| \d+ \| 1\.000/);
    assert.match(output, /\| the whole \| \d+ \| 1\.000/);
    const lengths = await evaluate(context, "--judge", "format", "--dataset", `mine=${plain}`);
    // Of three pairs and the six of the list, one has the shorter answer chosen.
    assert.match(lengths.output, /\| mine \| 9 \| 2 \| [\d.]+ \[[^|]*\] b \| 0\.889 \[/);
    assert.match(
      lengths.output,
      /\| mine \| 2 \| [^|]+ \| 0\.500 \[[^|]*\] \| 0\.250 \|/,
      "four answers of the list, and the long answer's three",
    );
  });

  it("scores by models, alone and as ensembles, and goes into a card with its chart, the same each time", async (context) => {
    writeFileSync(card, "# rm\n\n## Accuracy\n\nof before\n\n## Made by\n\nus\n");
    const models = ["--model", `one=${model}`, "--model", `two=${model}`, "--reward-ensemble", "both=one+two:minimum"];
    const args = [...models, "--dataset", teddy, "--dataset", plain, "--limit", "12", "--card", card];
    const { status, output, errors } = await evaluate(context, ...args);
    assert.equal(status, 0, errors);
    const row = /\| teddy \| 12 \| 12 \| ([^|]+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|/.exec(output);
    assert.ok(row !== null, output);
    assert.ok(row[1] === row[2] && row[2] === row[3], "the same model twice, and its ensemble with itself, agree");
    assert.match(output, /\| teddy \| one \| 0\.\d{3} \| 0\.\d{3} \| 0\.\d{3} \|/, "calibration");
    assert.doesNotMatch(output, /\| teddy \| both \| 0\.\d{3} \| 0\.\d{3} \| 0\.\d{3} \|\n/, "an ensemble's rewards are no logits");
    const written = readFileSync(card, "utf8");
    assert.ok(written.includes(row[0]) && written.includes("![Accuracy by set, and reliability](accuracy.svg)"));
    assert.ok(!written.includes("of before") && written.endsWith("## Made by\n\nus\n"));
    const chart = readFileSync(join(cardFolder, "accuracy.svg"), "utf8");
    assert.match(chart, /^<svg [^]*one on teddy[^]*<\/svg>\n$/);
    await evaluate(context, ...args);
    assert.deepEqual([readFileSync(card, "utf8"), readFileSync(join(cardFolder, "accuracy.svg"), "utf8")], [written, chart]);
  });

  it("draws how accuracy grows with the comparisons that models were trained on", async (context) => {
    writeFileSync(card, "# rm\n");
    const grown = [300, 20].map((comparisons) => {
      const path = join(folder, `grown-${comparisons}`);
      cpSync(model, path, { recursive: true });
      writeFileSync(join(path, "training.json"), JSON.stringify({ data: { comparisons } }));
      return path;
    });
    const words = ["--learning-curve", ...grown.flatMap((path) => ["--model", path]), "--dataset", teddy, "--limit", "12"];
    const { status, output, errors } = await evaluate(context, ...words, "--card", card);
    assert.equal(status, 0, errors);
    const rows = /\| comparisons \| labels \| gold \|[^\n]*\n[^\n]*\n\| 20 \| ([^\n]*)\n\| 300 \| ([^\n]*)\n/.exec(output);
    assert.ok(rows !== null && rows[1] === rows[2], output);
    assert.ok(readFileSync(card, "utf8").includes("## Learning curve\n\n![Accuracy by comparisons](learning-curve.svg)"));
    assert.match(readFileSync(join(cardFolder, "learning-curve.svg"), "utf8"), /^<svg [^]*comparisons[^]*<\/svg>\n$/);
    writeFileSync(join(grown[0]!, "training.json"), "{}");
    assert.match((await evaluate(context, ...words)).errors, /training\.json: data\.comparisons must be/);
    assert.match(
      (await evaluate(context, "--learning-curve", "--judge", "gold", "--dataset", teddy)).errors,
      /--learning-curve is of models/,
    );
  });

  it("refuses wrong usage, policies and wrong rows, naming them", async (context) => {
    const bad = join(folder, "bad.jsonl");
    writeFileSync(bad, '{"prompt": "p", "chosen": "a"}\n');
    const empty = join(folder, "empty.jsonl");
    writeFileSync(empty, '{"prompt": "p", "chosen": "a", "rejected": "a"}\n');
    for (const [args, status, message] of [
      [["--dataset", teddy], 2, /--model/],
      [["--judge", "gold"], 2, /--dataset/],
      [["--judge", "llm=x", "--dataset", teddy], 2, /--judge llm=x/],
      [["--judge", "length", "--dataset", teddy], 2, /length, which stands beside all others anyway/],
      [["--judge", "gold", "--dataset", teddy, "--dataset", teddy], 2, /Two sets are called teddy/],
      [["--judge", "gold", "--dataset", bad], 1, /bad\.jsonl:1: rejected/],
      [["--judge", "gold", "--dataset", empty], 1, /no answers that compare/],
      [["--judge", "gold", "--dataset", teddy, "--card", join(folder, "none.md")], 1, /no card/],
      [["--judge", `people=${plain}`, "--dataset", teddy], 1, /plain\.jsonl:4: rating/],
      [["teddy"], 2, /Word 1 of the arguments belongs to no option/],
    ] as const) {
      const result = await evaluate(context, ...args);
      assert.deepEqual([result.status, message.test(result.errors)], [status, true], `${args.join(" ")}: ${result.errors}`);
    }
    assert.ok(!existsSync(join(folder, "none.md")));
  });
});
