/** @file Splits of real preference files: nothing leaks, nothing is lost but what is said, and the same each time. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { runCollectCommand } from "../../src/cli/commands/collect.ts";
import { plainText } from "../../src/preferences/splitting.ts";
import { sharedDataPath, withoutSharedData } from "../fixtures/real-models.ts";
import { quietCommand, type CommandOutcome } from "../fixtures/quiet-command.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const folder = temporaryFolder();

interface Row {
  id: string;
  topic?: string;
  prompt: { role: string; content: string }[];
  chosen: string;
  rejected: string;
}

async function split(context: TestContext, ...args: string[]): Promise<CommandOutcome> {
  return quietCommand(context, () => runCollectCommand(["split", ...args]));
}

function rowsOf(path: string): Row[] {
  const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Row);
}

const cases = [
  { name: "hh_harmless_test", args: [], debate: false },
  { name: "llamafactory_dpo_en", args: [], debate: false },
  { name: "rasbt_polite", args: ["--held-out", "0.15"], debate: false },
  { name: "ukp_convarg_strict", args: ["--by", "topic", "--until", "_", "--held-out", "0.2", "--validation", "0.1"], debate: true },
];

describe("a split of real preferences", () => {
  for (const { name, args, debate } of cases) {
    const file = `preferences/${name}.jsonl`;
    it(`of ${name} leaks nothing and loses nothing`, { skip: withoutSharedData(file) }, async (context) => {
      const path = sharedDataPath(file)!;
      const output = join(folder, name);
      const { status, errors, output: said } = await split(context, path, "--output-dir", output, ...args);
      assert.equal(status, 0, errors);
      const names = ["train", "held-out", ...(args.includes("--validation") ? ["validation"] : [])];
      const sides = names.map((side) => rowsOf(join(output, `${side}.jsonl`)));
      const seen = new Map<string, number>();
      for (const [side, rows] of sides.entries()) {
        assert.ok(rows.length > 0);
        for (const { prompt, chosen, rejected, topic } of rows) {
          const keys = [
            JSON.stringify(prompt),
            prompt.find(({ role }) => role === "user")!.content,
            `answer ${chosen}`,
            `answer ${rejected}`,
          ];
          if (debate) keys.push(`topic ${topic}`, `debate ${topic!.split("_")[0]}`);
          for (const key of keys.map(plainText)) {
            assert.equal(seen.get(key) ?? side, side, `on two sides: ${key.slice(0, 80)}`);
            seen.set(key, side);
          }
        }
      }
      const leftOut = [...said.matchAll(/^Left out: (\d+) rows/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
      assert.equal(sides.flat().length + leftOut, rowsOf(path).length);
      const originals = new Map(rowsOf(path).map((row) => [row.id, row]));
      for (const row of sides.flat()) assert.deepEqual(row, originals.get(row.id));
      const again = join(folder, `${name}-again`);
      await split(context, path, "--output-dir", again, ...args);
      for (const side of names)
        assert.equal(readFileSync(join(again, `${side}.jsonl`), "utf8"), readFileSync(join(output, `${side}.jsonl`), "utf8"));
    });
  }
});

describe("a split", () => {
  const rows = Array.from({ length: 40 }, (_, index) => ({
    prompt: `p${index % 20}`,
    chosen: `c${index}`,
    rejected: `r${index}`,
    topic: index % 5,
  }));
  const file = join(folder, "rows.jsonl");

  it("leaves out rows that were there before and rows of equal answers, and says so", async (context) => {
    const alike = { prompt: "p", chosen: "Same  text", rejected: "same text" };
    writeFileSync(file, [...rows, rows[0], alike].map((row) => `${JSON.stringify(row)}\n`).join(""));
    const { output } = await split(context, file, "--output-dir", join(folder, "plain"));
    assert.match(output, /^40 rows in 20 groups/);
    assert.match(output, /Left out: 1 rows whose answers read alike/);
    assert.match(output, /Left out: 1 rows that were there before/);
  });

  it("refuses what it cannot do, naming it", async (context) => {
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const into = ["--output-dir", join(folder, "refused")];
    for (const [args, status, message] of [
      [into, 2, /Name one file/],
      [[file], 2, /--output-dir/],
      [[file, ...into, "--held-out", "0"], 2, /--held-out must be a number above 0/],
      [[file, ...into, "--held-out", "0.5", "--validation", "0.5"], 2, /below 1/],
      [[file, ...into, "--by", "debate"], 1, /rows\.jsonl:1: debate must be a text or a number/],
      [[file, ...into, "--by", "topic", "--held-out", "0.02"], 1, /nothing is left for held-out.* in 5 groups/],
    ] as const) {
      const result = await split(context, ...args);
      assert.deepEqual([result.status, message.test(result.errors)], [status, true], result.errors);
    }
  });
});
