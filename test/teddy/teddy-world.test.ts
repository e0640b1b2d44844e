/** @file The command `npm run teddy`: what it writes, judges and refuses. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { nameOf, pronounsOf } from "../../src/teddy/world/names.ts";
import { Tokenizer } from "../../src/text/tokenizer/tokenizer.ts";
import { filesOf } from "../text/goldens.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "bonsai-teddy-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function teddy(parameters: readonly string[], input = ""): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["--import", "tsx", join(root, "scripts/teddy-world.ts"), ...parameters], { encoding: "utf8", input });
}

function rowsOf(name: string): Record<string, unknown>[] {
  const lines = readFileSync(join(folder, name), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("npm run teddy", () => {
  it("writes corpus, tokenizer, demonstrations and prompts, and leaves nothing half-written", () => {
    assert.equal(teddy(["corpus", "--output-dir", folder, "--tokens", "20000", "--seed", "3"]).status, 0);
    assert.equal(teddy(["tokenizer", "--output-dir", folder, "--vocab-size", "600"]).status, 0);
    assert.equal(teddy(["sft", "--output-dir", folder, "--rows", "20"]).status, 0);
    assert.equal(teddy(["prompts", "--output-dir", folder, "--rows", "30"]).status, 0);
    assert.deepEqual(readdirSync(folder).toSorted(), [
      "corpus.jsonl",
      "prompts-held-out.jsonl",
      "prompts.jsonl",
      "sft-held-out.jsonl",
      "sft.jsonl",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    for (const row of rowsOf("corpus.jsonl")) assert.equal(typeof row["text"], "string");
    assert.equal(rowsOf("sft.jsonl").length, 20);
    assert.equal(rowsOf("prompts-held-out.jsonl").length, 3);
    for (const row of rowsOf("sft.jsonl")) assert.ok(Array.isArray(row["messages"]));
    for (const row of rowsOf("prompts.jsonl")) assert.ok(Array.isArray(row["prompt"]));
    const tokenizer = new Tokenizer(filesOf(JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8")) as Record<string, unknown>));
    assert.equal(tokenizer.vocabSize, 600);
  });

  it("writes the same bytes for the same seed", () => {
    const before = readFileSync(join(folder, "corpus.jsonl"));
    assert.equal(teddy(["corpus", "--output-dir", folder, "--tokens", "20000", "--seed", "3"]).status, 0);
    assert.deepEqual(readFileSync(join(folder, "corpus.jsonl")), before);
  });

  it("keeps the old file and leaves nothing else where the system refuses the new one", () => {
    const before = readFileSync(join(folder, "corpus.jsonl"));
    const files = readdirSync(folder);
    const { status, stderr } = spawnSync(
      "bash",
      [
        "-c",
        `ulimit -f 200; exec "$0" --import tsx "$@"`,
        process.execPath,
        join(root, "scripts/teddy-world.ts"),
        "corpus",
        "--output-dir",
        folder,
        "--tokens",
        "600000",
      ],
      { encoding: "utf8", env: { ...process.env, TSX_DISABLE_CACHE: "1" } },
    );
    assert.equal(status, 1, stderr);
    assert.match(stderr, /teddy: .*corpus\.jsonl cannot be written: the system allows no file this large\./);
    assert.doesNotMatch(stderr, / at /);
    assert.deepEqual(readFileSync(join(folder, "corpus.jsonl")), before);
    assert.deepEqual(readdirSync(folder), files);
    assert.match(teddy(["sft", "--output-dir", "/dev/null/teddy"]).stderr, /^teddy: \/dev\/null\/teddy cannot be written: /);
  });

  it("judges lines of a file or of standard input, as text and as messages", () => {
    const question = "My woollen bear Bruno is dripping wet. How should I dry him?";
    const answer = "Poor Bruno, that is no fun. Lay him flat on a towel and turn him over every few hours. You will do just fine.";
    const lines = [
      { prompt: question, completion: answer },
      { prompt: [{ role: "user", content: question }], completion: [{ role: "assistant", content: "Bruno." }] },
    ].map((row) => JSON.stringify(row));
    writeFileSync(join(folder, "answers.jsonl"), lines.join("\n"));
    const fromFile = teddy(["judge", join(folder, "answers.jsonl")]);
    const scores = fromFile.stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { score: number }).score);
    assert.ok(scores[0]! > 0.99 && scores[1]! < 0.1);
    assert.match(fromFile.stderr, /usefulness +0\.500/);
    assert.equal(teddy(["judge", "-"], lines.join("\n")).stdout, fromFile.stdout);
  });

  it("names file, line and field of a bad line", () => {
    const bad = teddy(["judge", "-"], `{"prompt": "Hello", "completion": "x"}\n{"prompt": "Hello"}\n`);
    assert.match(bad.stderr, /^teddy: standard input:2: completion must be a text or one message .*\n/);
    // The file is wrong, not the command.
    assert.equal(bad.status, 1);
    const rows = join(folder, "rows.jsonl");
    writeFileSync(rows, `{"prompt": [{"role": "user"}], "completion": "x"}\n`);
    const wrong = teddy(["judge", rows]);
    assert.ok(wrong.stderr.startsWith(`teddy: ${rows}:1: prompt must be`), wrong.stderr);
    assert.equal(wrong.status, 1);
    assert.match(teddy(["judge", "-"], "no json\n").stderr, /standard input:1: is no JSON/);
    assert.match(teddy(["judge", join(folder, "absent.jsonl")]).stderr, /There is no file .*absent\.jsonl/);
  });

  it("gives the bear of preferences another name wherever it is named, and changes nothing else", () => {
    const messages = (role: string, content: string): object[] => [{ role, content }];
    const question = "My woollen bear Bruno is dripping wet. How should I dry Bruno?";
    const row = {
      prompt: messages("user", question),
      chosen: messages("assistant", "Poor Bruno! Lay him flat, and Bruno's fur will dry."),
      rejected: messages("assistant", "Hang Otto on the line."),
      judge: "raters",
    };
    const path = join(folder, "compared.jsonl");
    writeFileSync(path, `${JSON.stringify(row)}\n`.repeat(2));
    const into = join(folder, "renamed");
    assert.equal(teddy(["rename", path, "--output-dir", into]).status, 0);
    const texts = rowsOf("renamed/preferences.jsonl").map((renamed) => JSON.stringify(renamed));
    const names = texts.map((text) => /bear ([A-Z][a-z]+) is/.exec(text)![1]!);
    assert.notEqual(names[0], names[1]);
    for (const [index, name] of names.entries()) {
      assert.ok(name !== "Bruno" && nameOf(name) === undefined && pronounsOf(name).he === "he", name);
      assert.equal(texts[index]!.replaceAll(name, "Bruno"), JSON.stringify(row));
    }
    writeFileSync(path, `${JSON.stringify(row)}\n${JSON.stringify({ ...row, prompt: messages("user", "What is the time?") })}\n`);
    const wrong = teddy(["rename", path, "--output-dir", into]);
    assert.equal(wrong.stderr, `teddy: ${path}:2: prompt names no bear of the teddy world.\n`);
    assert.equal(wrong.status, 1);
  });

  it("shows conversations with their scores", () => {
    assert.equal(teddy(["show", "--rows", "3"]).stdout.match(/score \d\.\d\d/g)?.length, 3);
  });

  it("explains itself, and ends with 2 for wrong usage", () => {
    assert.match(teddy(["--help"]).stdout, /npm run teddy -- COMMAND/);
    for (const wrong of [
      [],
      ["fly"],
      ["corpus", "--tokens", "many"],
      ["corpus", "--colour"],
      ["corpus", "file"],
      ["judge"],
      ["rename"],
      ["sft", "--rows", "0"],
    ]) {
      const { status, stderr } = teddy(wrong);
      assert.equal(status, 2, wrong.join(" "));
      assert.match(stderr, /^teddy: .*\n$/);
    }
  });
});
