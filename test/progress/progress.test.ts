/** @file Progress: a line that fits the terminal, plain lines elsewhere. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createProgress, progressLine } from "../../src/progress/progress.ts";

describe("progress", () => {
  test("shows bar, megabytes, speed and time left", () => {
    assert.equal(
      progressLine("model.gguf", 25e6, 100e6, 5e6, 80),
      "model.gguf [#######---------------------] 25% 25.0/100.0 MB 5.0 MB/s 0:15 left",
    );
  });

  test("never fills the terminal's last column, so that a line is always redrawn in place", () => {
    const shares = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60 }),
        shares,
        fc.integer({ min: 1, max: 1e12 }),
        fc.nat(1e9),
        fc.integer({ min: 1, max: 200 }),
        (label, share, total, speed, columns) => {
          assert.ok(progressLine(label, Math.floor(share * total), total, speed, columns).length < Math.max(columns, 1));
        },
      ),
    );
  });

  test("prints a line every tenth part where there is no terminal", () => {
    const lines: string[] = [];
    const progress = createProgress({ write: () => assert.fail("no terminal") }, (line) => lines.push(line));
    for (let done = 0; done <= 1000; done++) progress.update("model.gguf", done * 1e5, 1e8);
    progress.end();
    assert.equal(lines.length, 10);
    assert.equal(lines[0], "model.gguf: 10% of 100.0 MB");
  });

  test("redraws one line on a terminal and ends it", () => {
    let text = "";
    const progress = createProgress({ isTTY: true, columns: 100, write: (part) => (text += part) }, () => assert.fail("a terminal"));
    for (let done = 0; done <= 1000; done++) progress.update("model.gguf", done * 1e5, 1e8);
    progress.end();
    assert.match(text, /^\r/);
    assert.match(text, /100% 100\.0\/100\.0 MB[^\n]*\n$/);
    assert.equal(text.split("\n").length, 2);
  });
});
