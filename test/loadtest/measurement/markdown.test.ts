/** @file Tests how a measurement is shown, and that docs/BENCHMARKS.md is what its kept data gives. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import type { BenchResult } from "../../../loadtest/measurement/bench-result.ts";
import { docsFolder, keepMeasurement, keptMeasurements } from "../../../loadtest/measurement/kept-measurements.ts";
import { measurementsMarkdown, tableLines } from "../../../loadtest/measurement/markdown.ts";
import { benchmarks } from "../../bench/report/benchmarks-document.ts";

const docs = temporaryFolder();

function result(name: string, changes: Partial<BenchResult> = {}): BenchResult {
  return {
    name,
    title: `Measurement ${name}`,
    about: "What was measured.",
    command: `npm run bench -- ${name}`,
    conditions: {
      measuredAt: "2026-01-02T03:04:05.678Z",
      profile: "full",
      processor: "A processor",
      cores: 2,
      memoryGiB: 8,
      system: "Linux 6",
      loadBefore: 0.1,
      versions: { bonsai: "abc1234", node: "20.20.2" },
    },
    tables: [],
    checks: [],
    figures: [],
    raw: [],
    ...changes,
  };
}

describe("a measurement's section", () => {
  it("shows medians with their spread, absent numbers as a dash, no column without a value, and small numbers with three digits", () => {
    const lines = tableLines({
      title: "Speeds",
      columns: [{ heading: "who" }, { heading: "rate", digits: 1 }, { heading: "share" }, { heading: "an absent peer" }],
      rows: [
        ["ours", { median: 12.34, lowest: 11, highest: 13 }, 0.0123456, null],
        ["theirs", null, 1234.5, null],
        ["nobody", { median: 7, lowest: 7, highest: 7 }, 0, null],
      ],
    });
    assert.deepEqual(lines, [
      "### Speeds",
      "",
      "| who | rate | share |",
      "| --- | ---: | ---: |",
      "| ours | 12.3 (11.0 to 13.0) | 0.0123 |",
      "| theirs | – | 1235 |",
      "| nobody | 7.0 | 0 |",
    ]);
  });

  it("says whether each promise was met", () => {
    const checked = result("x", {
      checks: [
        { claim: "fast", measured: 2, unit: "ms", bound: "at most", limit: 3 },
        { claim: "large", measured: 2, unit: "", bound: "at least", limit: 3 },
      ],
    });
    const text = measurementsMarkdown([checked], benchmarks);
    assert.match(text, /\| fast \| at most 3 ms \| 2 ms \| yes \|/);
    assert.match(text, /\| large \| at least 3 \| 2 \| \*\*no\*\* \|/);
  });

  it("names machine, versions, command and time, and marks a quick run", () => {
    const { conditions } = result("x");
    const text = measurementsMarkdown([result("x", { conditions: { ...conditions, profile: "quick" } })], benchmarks);
    for (const part of [
      "A processor, 2 cores",
      "bonsai abc1234, node 20.20.2",
      "`npm run bench -- x` (the quick profile",
      "2026-01-02 03:04 UTC",
    ]) {
      assert.ok(text.includes(part), part);
    }
  });
});

describe("kept measurements", () => {
  it("are read back as they were, in a fixed order, and shown all together", () => {
    keepMeasurement(
      result("soak", { figures: [{ file: "soak.svg", caption: "Memory" }] }),
      new Map([["soak.svg", "<svg/>"]]),
      docs,
      benchmarks,
    );
    keepMeasurement(result("engine"), new Map(), docs, benchmarks);
    assert.deepEqual(keptMeasurements(docs, benchmarks), [
      result("engine"),
      result("soak", { figures: [{ file: "soak.svg", caption: "Memory" }] }),
    ]);
    assert.equal(readFileSync(join(docs, "benchmarks/soak.svg"), "utf8"), "<svg/>");
    const text = readFileSync(join(docs, "BENCHMARKS.md"), "utf8");
    assert.equal(text, measurementsMarkdown(keptMeasurements(docs, benchmarks), benchmarks));
    assert.ok(text.includes("![Memory](benchmarks/soak.svg)"));
  });

  it("of another processor stay beside the latest, with their figures, until that processor is measured again", () => {
    const on = (processor: string, measuredAt: string, caption: string): BenchResult => ({
      ...result("soak", { figures: [{ file: "soak.svg", caption }] }),
      conditions: { ...result("soak").conditions, processor, measuredAt },
    });
    const elsewhere = join(docs, "two");
    keepMeasurement(
      on("Intel(R) Xeon(R) Processor @ 2.3GHz", "2026-01-01T00:00:00Z", "one"),
      new Map([["soak.svg", "1"]]),
      elsewhere,
      benchmarks,
    );
    keepMeasurement(on("AMD EPYC", "2026-01-02T00:00:00Z", "two"), new Map([["soak.svg", "2"]]), elsewhere, benchmarks);
    const seen = (): string[] =>
      keptMeasurements(elsewhere, benchmarks).map(
        ({ figures: [figure] }) => `${figure!.caption} ${readFileSync(join(elsewhere, "benchmarks", figure!.file), "utf8")}`,
      );
    assert.deepEqual(seen(), ["two 2", "one 1"]);
    assert.deepEqual(readdirSync(join(elsewhere, "benchmarks")).toSorted(), [
      "soak.json",
      "soak.svg",
      "soak@intel-xeon.json",
      "soak@intel-xeon.svg",
    ]);
    assert.match(readFileSync(join(elsewhere, "BENCHMARKS.md"), "utf8"), /^## .* \(Intel\(R\) Xeon\(R\) Processor @ 2.3GHz\)$/m);
    keepMeasurement(
      on("Intel(R) Xeon(R) Processor @ 2.3GHz", "2026-01-03T00:00:00Z", "three"),
      new Map([["soak.svg", "3"]]),
      elsewhere,
      benchmarks,
    );
    assert.deepEqual(seen(), ["three 3", "two 2"]);
  });

  it("are what docs/BENCHMARKS.md was written from; npm run bench -- tables writes it again", () => {
    assert.equal(
      readFileSync(join(docsFolder, "BENCHMARKS.md"), "utf8"),
      measurementsMarkdown(keptMeasurements(docsFolder, benchmarks), benchmarks),
    );
  });
});
