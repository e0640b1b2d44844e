/**
 * @file Runs the quick profile of the load test whole: every scenario, no request that fails, every chapter; never how
 * fast. And holds docs/LOADTEST.md to its data.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { loadTests } from "../../loadtest/report/chapter.ts";
import type { OperatingPoint } from "../../src/evaluation/operating-points.ts";
import type { BenchResult } from "../../loadtest/measurement/bench-result.ts";
import { docsFolder, keptMeasurements } from "../../loadtest/measurement/kept-measurements.ts";
import { measurementsMarkdown } from "../../loadtest/measurement/markdown.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const docs = temporaryFolder();

interface Ended {
  status: number | null;
  output: string;
}

async function run(...words: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", ...words], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}

const claims = (name: string): Map<string, number> => {
  const { checks } = JSON.parse(readFileSync(join(docs, "loadtest", `${name}.json`), "utf8")) as BenchResult;
  return new Map(checks.map(({ claim, measured }) => [claim, measured]));
};

describe("the quick load test", () => {
  it("runs every scenario, writes every chapter with its data, and leaves nothing that failed", async () => {
    const { output } = await run("loadtest/run.ts", "--quick", "--out", docs);
    assert.ok(existsSync(join(docs, "LOADTEST.md")), output);
    assert.deepEqual(readdirSync(join(docs, "loadtest")).toSorted(), [
      "capacity.json",
      "capacity.svg",
      "choice.json",
      "choice.svg",
      "load.json",
      "quality.json",
      "quality.svg",
    ]);
    assert.equal(claims("load").get("requests that failed"), 0, output);
    assert.equal(claims("capacity").get("requests that failed"), 0, output);
    assert.equal(claims("capacity").get("refusals with Retry-After"), 1, output);
  });

  it("judges the answers that it timed: each is the choice among the candidates that were judged", () => {
    const [agreement] = claims("choice").values();
    assert.equal(agreement, 1);
  });

  it("is what advice reads", async () => {
    const results = join(docs, "loadtest", "choice.json");
    const { points } = (JSON.parse(readFileSync(results, "utf8")) as { raw: { points: OperatingPoint[] } }).raw;
    const [fastest] = points.toSorted((one, other) => one.latencyMs.p90 - other.latencyMs.p90);
    const [surest] = points.toSorted((one, other) => other.gold.low - one.gold.low || one.latencyMs.p90 - other.latencyMs.p90);
    const generous = await run("src/cli/main.ts", "advise", "--budget-ms", "1e9", "--results", results);
    assert.equal(generous.status, 0, generous.output);
    assert.match(surest!.title, /^(SFT|DPO), (one answer|best of 4)/);
    assert.ok(generous.output.startsWith(`Within 1000000000 ms (p90): ${surest!.title}`), generous.output);
    const stingy = await run("src/cli/main.ts", "advise", "--budget-ms", "0.001", "--results", results);
    assert.equal(stingy.status, 1);
    assert.ok(stingy.output.startsWith(`Nothing answers within 0.001 ms (p90). The fastest is ${fastest!.title}: `), stingy.output);
  });
});

describe("wrong usage", () => {
  for (const [words, message] of [
    [["loadtest/run.ts", "--fast"], /Unknown option --fast/],
    [["loadtest/run.ts", "teddy-sft"], /Word 1 of the arguments belongs to no option/],
    [["loadtest/run.ts", "--only", "gpus"], /--only must be one of teddy, smollm2, peers, not "gpus"/],
    [["loadtest/run.ts", "--quick", "--only", "peers"], /Nothing of peers can be measured here by the quick profile/],
    [["loadtest/run.ts", "--prompts", "nowhere.jsonl"], /nowhere\.jsonl/],
    [["src/cli/main.ts", "advise"], /--budget-ms 800/],
    [["src/cli/main.ts", "advise", "--budget-ms", "soon"], /--budget-ms must be a number of milliseconds above 0, not "soon"/],
    [["src/cli/main.ts", "advise", "--budget-ms", "800", "--percentile", "p95"], /must be one of p50, p90, p99/],
    [["src/cli/main.ts", "advise", "--budget-ms", "800", "--results", "package.json"], /package\.json holds no measurements/],
  ] as const) {
    it(`is told: ${words.join(" ")}`, async () => {
      const { status, output } = await run(...words);
      assert.match(output, message);
      assert.ok(status === 2 || (status === 1 && words[1] === "--prompts"), `status ${status}`);
    });
  }
});

describe("docs/LOADTEST.md", () => {
  it("is what its kept data gives", () => {
    assert.equal(
      readFileSync(join(docsFolder, "LOADTEST.md"), "utf8"),
      measurementsMarkdown(keptMeasurements(docsFolder, loadTests), loadTests),
    );
  });
});
