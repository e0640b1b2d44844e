/**
 * @file Collecting preferences with a real (tiny) model: the same bytes at each run, through a server, and after having
 * been killed anywhere.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { runCollectCommand } from "../../src/cli/commands/collect.ts";
import { prompt } from "../../src/teddy/writer/demonstration.ts";
import { readPreferenceRow } from "../../src/training/data/preference-row.ts";
import { startServeProgram } from "../e2e/program.ts";
import { quietCommand, type CommandOutcome } from "../fixtures/quiet-command.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";

const folder = temporaryFolder();
const model = join(folder, "tiny");
const prompts = join(folder, "prompts.jsonl");
const promptCount = 12;
const files = ["preferences.jsonl", "report.md", "journal.jsonl"];
const environment = { XDG_CACHE_HOME: join(folder, "cache") };

before(() => {
  process.env["XDG_CACHE_HOME"] = environment.XDG_CACHE_HOME;
  writeTinyModel(model, { contextLength: 512 });
  const row = (index: number): string => `${JSON.stringify({ prompt: prompt(5, index, "training").messages })}\n`;
  writeFileSync(prompts, Array.from({ length: promptCount }, (_, index) => row(index)).join(""));
});

const sampling = ["--prompts", prompts, "--model", model, "--quantization", "fp32", "--samples", "3", "--max-tokens", "12"];

/** Runs the command; what it printed, and its exit status. */
async function collect(context: TestContext, ...args: string[]): Promise<CommandOutcome> {
  return quietCommand(context, () => runCollectCommand(args));
}

/** The files of a collection, the report without the folder in its command. */
function contents(output: string): string[] {
  return files.map((name) => readFileSync(join(output, name), "utf8").replaceAll(output, "OUTPUT"));
}

function rowsOf(output: string): Record<string, unknown>[] {
  const lines = readFileSync(join(output, "preferences.jsonl"), "utf8").trimEnd().split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Record<string, unknown>);
}

const fresh = (name: string): string => {
  const path = join(folder, name);
  rmSync(path, { recursive: true, force: true });
  return path;
};

describe("a collection", () => {
  const pairs = [...sampling, "--judge", "raters", "--judge", "gold", "--judge", "length"];

  it("writes pairs that the trainer reads, with judge and seeds, and a report of how judges agree", async (context) => {
    const output = fresh("pairs");
    const { status, errors } = await collect(context, ...pairs, "--output-dir", output);
    assert.equal(status, 0, errors);
    const rows = rowsOf(output);
    assert.ok(rows.length > promptCount && rows.length <= 3 * promptCount);
    for (const [index, row] of rows.entries()) {
      const { answers, dimensions } = readPreferenceRow(row, { path: "preferences.jsonl", line: index + 1 });
      assert.deepEqual([...dimensions.keys()], ["usefulness", "friendliness", "safety"]);
      assert.equal(answers[0]!.form, "messages");
      assert.match(String(row["judge"]), /^raters:[a-z]+$/);
      assert.ok((row["seeds"] as number[]).every(Number.isSafeInteger));
    }
    const report = readFileSync(join(output, "report.md"), "utf8");
    for (const part of [
      /3 answers to each prompt/,
      /\| raters and gold \| \d+ \| [\d.]+ \| -?[\d.–]+ \|/,
      /\| gold and length \|/,
      /prefers the longer answer in/,
    ])
      assert.match(report, part);
  });

  it("is the same to the byte at another run, and through a server of the same model", async (context) => {
    const again = fresh("again");
    await collect(context, ...pairs, "--output-dir", again);
    assert.deepEqual(contents(again), contents(join(folder, "pairs")));
    const server = await startServeProgram(["--model", model, "--quantization", "fp32"], { environment });
    try {
      const remote = fresh("remote");
      const { status, errors } = await collect(
        context,
        ...["--prompts", prompts, "--model", "tiny", "--base-url", `${server.url}/v1`].concat(sampling.slice(-4)),
        "--judge",
        "raters",
        "--output-dir",
        remote,
      );
      assert.equal(status, 0, errors);
      assert.deepEqual(rowsOf(remote), rowsOf(join(folder, "pairs")));
      // The same server judges: a random model's words are no verdicts, and none is guessed.
      const judged = fresh("judged");
      const [first] = readFileSync(prompts, "utf8").split("\n");
      writeFileSync(
        join(folder, "given.jsonl"),
        JSON.stringify({ ...(JSON.parse(first!) as object), completions: ["Wash it.", "Dry it."] }),
      );
      const args = [
        "--prompts",
        join(folder, "given.jsonl"),
        "--judge",
        "llm=tiny",
        "--judge-url",
        `${server.url}/v1`,
        "--judge-tokens",
        "5",
      ];
      assert.equal((await collect(context, ...args, "--output-dir", judged)).status, 0);
      assert.deepEqual(rowsOf(judged), []);
      assert.match(readFileSync(join(judged, "report.md"), "utf8"), /2 of 2 verdicts \(100\.0%\) could not be read/);
    } finally {
      await server.stop();
    }
  });

  it("goes on to the same bytes from any line, also a torn one, and from fewer prompts", async (context) => {
    const whole = readFileSync(join(folder, "pairs", "journal.jsonl"), "utf8");
    const ends = [...whole.matchAll(/\n/g)].map(({ index }) => index + 1);
    for (const length of [0, 5, ends[0]!, ends[0]! + 40, ends[4]!, ends[4]! - 1, ends[4]! + 1, whole.length - 1, whole.length]) {
      const output = fresh("torn");
      cpSync(join(folder, "pairs"), output, { recursive: true });
      rmSync(join(output, "preferences.jsonl"));
      truncateSync(join(output, "journal.jsonl"), length);
      const { status, errors } = await collect(context, ...pairs, "--output-dir", output, "--resume");
      assert.equal(status, 0, errors);
      assert.deepEqual(contents(output), contents(join(folder, "pairs")), `cut at ${length}`);
    }
    const output = fresh("fewer");
    await collect(context, ...pairs, "--output-dir", output, "--limit", "4");
    const fewer = rowsOf(output);
    await collect(context, ...pairs, "--output-dir", output, "--resume");
    assert.deepEqual(rowsOf(output).slice(0, fewer.length), fewer);
    assert.deepEqual(contents(output), contents(join(folder, "pairs")));
  });

  it("refuses a journal whose lines are of another shape, and names the line", async (context) => {
    const lines = readFileSync(join(folder, "pairs", "journal.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
    const row = JSON.parse(lines[3]!) as Record<string, unknown>;
    const changes: Record<string, unknown>[] = [
      { index: row["index"] },
      { ...row, candidates: "none" },
      { ...row, candidates: [null, 7] },
      { ...row, candidates: [] },
      { ...row, pairs: [[0, 1, 2]] },
      { ...row, pairs: [[0, 999]] },
      { ...row, verdicts: null },
      { ...row, verdicts: {} },
      { ...row, verdicts: { ...(row["verdicts"] as object), gold: [] } },
      { ...row, verdicts: { ...(row["verdicts"] as object), gold: [[], 1, "x"] } },
      { index: row["index"], candidates: row["candidates"], duplicates: 0, scores: {} },
    ];
    for (const change of changes) {
      const output = fresh("misshapen");
      cpSync(join(folder, "pairs"), output, { recursive: true });
      const journal = join(output, "journal.jsonl");
      writeFileSync(journal, `${lines.with(3, JSON.stringify(change)).join("\n")}\n`);
      const { status, errors } = await collect(context, ...pairs, "--output-dir", output, "--resume");
      assert.equal(status, 1, JSON.stringify(change));
      assert.ok(errors.includes(`${journal}:4 `) && !/^ +at /m.test(errors), errors);
    }
    for (const settings of [null, "x", [], 7]) {
      const output = fresh("misshapen");
      cpSync(join(folder, "pairs"), output, { recursive: true });
      writeFileSync(join(output, "journal.jsonl"), `${lines.with(0, JSON.stringify({ settings })).join("\n")}\n`);
      const { errors } = await collect(context, ...pairs, "--output-dir", output, "--resume");
      assert.match(errors, /journal\.jsonl was begun with no settings/);
      assert.doesNotMatch(errors, /^ +at /m);
    }
  });

  it("survives SIGKILL in the middle, and a SIGTERM ends it in order", async (context) => {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const output = fresh("killed");
      const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
      const child = spawn(process.execPath, ["--import", "tsx", main, "collect", ...pairs, "--output-dir", output], {
        env: { ...process.env, ...environment },
        stdio: "ignore",
      });
      const closed = once(child, "close");
      const journal = join(output, "journal.jsonl");
      const lineCount = (): number => (existsSync(journal) ? readFileSync(journal, "utf8").split("\n").length - 1 : 0);
      while (lineCount() < 3 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 2));
      child.kill(signal);
      // npm passes a terminal's signal on to a process that has had it already.
      setTimeout(() => child.kill(signal), 20);
      const [status] = (await closed) as [number | null];
      // It may have been faster than the signal, and gone when that came.
      if (signal === "SIGTERM") assert.ok(status === 130 || existsSync(join(output, "report.md")), `status ${status}`);
      const { status: after, errors } = await collect(context, ...pairs, "--output-dir", output, "--resume");
      assert.equal(after, 0, errors);
      assert.deepEqual(contents(output), contents(join(folder, "pairs")));
    }
  });

  it("is not gone on with by other settings, and not begun over by mistake", async (context) => {
    const output = fresh("settings");
    cpSync(join(folder, "pairs"), output, { recursive: true });
    const refused = async (message: RegExp, ...args: string[]): Promise<void> => {
      const { status, errors } = await collect(context, ...args, "--output-dir", output);
      assert.deepEqual([status, message.test(errors)], [2, true], errors);
    };
    await refused(/--resume goes on with it/, ...pairs);
    await refused(/was begun with seed 0, and not with 1/, ...pairs, "--seed", "1", "--resume");
    await refused(/was begun with judges /, ...sampling, "--judge", "gold", "--resume");
    appendFileSync(prompts, readFileSync(prompts, "utf8").split("\n")[0]! + "\n");
    await refused(/was begun with prompts /, ...pairs, "--resume");
    writeFileSync(prompts, readFileSync(prompts, "utf8").split("\n").slice(0, promptCount).join("\n") + "\n");
    // How labels are written may change.
    assert.equal((await collect(context, ...pairs, "--output-dir", output, "--resume", "--label-noise", "0.5")).status, 0);
    assert.deepEqual(contents(output)[2], contents(join(folder, "pairs"))[2]);
    assert.notDeepEqual(rowsOf(output), rowsOf(join(folder, "pairs")));
    const selection = ["--strongest", "1", "--least-margin", "0.5", "--most-length-difference", "20", "--agreeing"];
    assert.equal((await collect(context, ...pairs, "--output-dir", output, "--resume", ...selection)).status, 0);
    const written = new Set(rowsOf(join(folder, "pairs")).map((row) => JSON.stringify(row)));
    const selected = rowsOf(output);
    assert.ok(selected.length > 0 && selected.length <= promptCount, `${selected.length} rows`);
    for (const row of selected) {
      assert.ok(written.has(JSON.stringify(row)));
      assert.ok(Object.values(row["preferences"] as Record<string, number>).every((preference) => preference >= 0));
    }
    const report = readFileSync(join(output, "report.md"), "utf8");
    for (const reason of [
      "with a margin below 0.5",
      "by more than 20 words",
      "better in a dimension",
      "beside the 1 strongest of a prompt",
    ])
      assert.match(report, new RegExp(`left out[^|]*${reason} \\| \\d+ \\|`));
  });

  it("ranks lists, marks points, and rewrites answers", async (context) => {
    const lists = fresh("lists");
    assert.equal((await collect(context, ...sampling, "--judge", "rater=hugger", "--form", "lists", "--output-dir", lists)).status, 0);
    for (const [index, row] of rowsOf(lists).entries())
      assert.equal(readPreferenceRow(row, { path: "lists", line: index + 1 }).answers.length, 3);
    const points = fresh("points");
    assert.equal((await collect(context, ...sampling, "--judge", "length", "--form", "points", "--output-dir", points)).status, 0);
    assert.ok(rowsOf(points).every(({ label }) => typeof label === "boolean"));
    const rewritten = fresh("rewritten");
    const args = [
      ...sampling.slice(0, -4),
      "--max-tokens",
      "12",
      "--samples",
      "1",
      "--rewriter",
      model,
      "--judge",
      "rewrite",
      "--limit",
      "3",
    ];
    const { status, errors } = await collect(context, ...args, "--output-dir", rewritten);
    assert.equal(status, 0, errors);
    assert.ok(rowsOf(rewritten).length > 0);
    assert.match(readFileSync(join(rewritten, "report.md"), "utf8"), /Each was rewritten by .*tiny: "Rewrite the assistant's last answer/);
  });
});

describe("answers that are given", () => {
  it("are judged without any model, and people's word is compared with rules'", async (context) => {
    const given = join(folder, "rated.jsonl");
    const rows = [
      { prompt: "Say hello.", chosen: "Hello, dear friend.", rejected: "Hi.", reference: "Hello, my dear friend." },
      { prompt: "Say bye.", chosen: "Bye.", rejected: "Goodbye then, if you must go.", reference: "Bye." },
    ];
    writeFileSync(given, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const output = fresh("given");
    const args = [
      "--prompts",
      given,
      "--judge",
      `people=${given}`,
      "--judge",
      "bleu",
      "--judge",
      "length",
      "--scale",
      "graded",
      "--output-dir",
      output,
    ];
    const { status, errors } = await collect(context, ...args);
    assert.equal(status, 0, errors);
    assert.deepEqual(
      rowsOf(output).map(({ prompt: text, chosen, rejected }) => [text, chosen, rejected]),
      rows.map(({ prompt: text, chosen, rejected }) => [text, chosen, rejected]),
    );
    const report = readFileSync(join(output, "report.md"), "utf8");
    assert.match(report, /people=\S+ and bleu \| 2 \| 1\.000 \| – \|/);
    assert.match(report, /and length \| 2 \| 0\.500 \|/);
  });
});

describe("a reward model that judges", () => {
  it("prefers what it scores higher, by the margin of its rewards, and by dimension", async (context) => {
    const rewards = fileURLToPath(new URL("../oracle/rewards/llama", import.meta.url));
    const given = join(folder, "for-rewards.jsonl");
    const answers = ["Wash it by hand.", "No.", "Sing a song to the bear, and then wash it."];
    writeFileSync(given, JSON.stringify({ prompt: "How do I wash my bear?", completions: answers }));
    const judge = ["--prompts", given, "--judge", `reward=${rewards}`, "--quantization", "fp32", "--scale", "graded"];
    const output = fresh("by-rewards");
    const { status, errors } = await collect(context, ...judge, "--output-dir", output);
    assert.equal(status, 0, errors);
    const pairs = rowsOf(output);
    assert.equal(pairs.length, 3);
    const marks = fresh("marks");
    assert.equal((await collect(context, ...judge, "--form", "points", "--output-dir", marks)).status, 0);
    const score = new Map(rowsOf(marks).map((row) => [row["completion"], row["score"] as number]));
    for (const { chosen, rejected, margin, preferences } of pairs) {
      assert.ok(Math.abs(score.get(chosen)! - score.get(rejected)! - (margin as number)) < 1e-4);
      assert.deepEqual(Object.keys(preferences as object), ["usefulness", "friendliness", "safety"]);
    }
    const policy = await collect(context, "--prompts", given, "--judge", `reward=${model}`, "--output-dir", fresh("no-rewards"));
    assert.deepEqual([policy.status, /scores none/.test(policy.errors)], [1, true], policy.errors);
  });
});

it("wrong usage and wrong rows are refused before anything is computed, naming what is wrong", async (context) => {
  const bad = join(folder, "bad.jsonl");
  const given = ["--prompts", prompts, "--output-dir", fresh("none")];
  for (const [args, status, message] of [
    [given, 2, /--judge is missing/],
    [[...given, "--judge", "oracle"], 2, /there is no such judge; use one of raters, /],
    [[...given, "--judge", "gold=1"], 2, /gold alone would be right/],
    [[...given, "--judge", "rater=me"], 2, /use one of reader, /],
    [[...given, "--judge", "raters=6"], 2, /a number from 1 to 5/],
    [[...given, "--judge", "gold", "--judge", "gold"], 2, /given twice/],
    [[...given, "--judge", "people=none.jsonl"], 1, /none\.jsonl/],
    [[...given, "--judge", "format=("], 2, /no regular expression/],
    [[...given, "--judge", "gold", "--samples", "17"], 2, /--samples must be a whole number from 0 to 16, not 17/],
    [[...given, "--judge", "gold", "--label-noise", "0.6"], 2, /from 0 to 0\.5/],
    [[...given, "--judge", "gold", "--strongest", "0"], 2, /--strongest must be a whole number from 1, not 0/],
    [[...given, "--judge", "gold", "--form", "trees"], 2, /one of pairs, lists, points/],
    [[...given, "--judge", "gold", "--base-url", "here", "--model", "m"], 2, /--base-url must be an address such as .*, not "here"/],
    [["--prompts", bad, "--judge", "gold", "--output-dir", fresh("none")], 1, /bad\.jsonl:1: prompt must be a text, not absent/],
  ] as const) {
    writeFileSync(bad, '{"question": "x"}\n');
    const result = await collect(context, ...args);
    assert.deepEqual([result.status, message.test(result.errors)], [status, true], `${args.join(" ")}: ${result.errors}`);
  }
});
