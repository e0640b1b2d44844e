/** @file --help, docs/CONFIG.md and the log's view of the configuration come from the schema and hide secrets. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { configMarkdown, formatBytes, helpText, publicConfig } from "../../src/config/describe.ts";
import { defaultConfig, options } from "../../src/config/options.ts";

test("help and documentation name every option's flag, variable and default", () => {
  for (const text of [helpText(), configMarkdown()]) {
    for (const option of options) {
      assert.ok(text.includes(`--${option.flag}`), option.flag);
      assert.ok(text.includes(option.variable), option.variable);
    }
  }
  assert.match(helpText(), /Default: 8000\. \[BONSAI_PORT\]/);
  assert.match(helpText(), /Default: 1 GiB\. \[BONSAI_KV_CACHE_BYTES\]/);
});

test("help fits a terminal of 110 columns", () => {
  for (const line of helpText().split("\n")) assert.ok(line.length <= 110, line);
});

test("each flag and each variable belongs to one option", () => {
  assert.equal(new Set(options.map((option) => option.flag)).size, options.length);
  assert.equal(new Set(options.map((option) => option.variable)).size, options.length);
});

test("the log's view tells how many keys there are and none of them", () => {
  const view = JSON.stringify(publicConfig({ ...defaultConfig(), apiKey: ["sk-one", "sk-two"] }));
  assert.match(view, /"api-key":"2 set"/);
  assert.doesNotMatch(view, /sk-/);
});

test("bytes read as the largest unit that divides them", () => {
  assert.deepEqual([2 ** 30, 3 * 2 ** 20, 16384, 1000].map(formatBytes), ["1 GiB", "3 MiB", "16 KiB", "1000 bytes"]);
});
