/**
 * @file What a model is prepared into: made once, named by what it was made from, mended when damaged, deletable while
 * it is served.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { EngineLoop } from "../../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../../src/engine/loading/model.ts";
import { requestFor, roomyLimits, run, type Answer } from "../../engine/answers.ts";
import { load, type LoadOptions } from "../../engine/tiny-engine.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../../fixtures/tiny-model.ts";

const folder = temporaryFolder();
const path = join(folder, "model");
writeTinyModel(path);

let cacheDir: string;
let lines: string[];
let count = 0;
beforeEach(() => {
  cacheDir = join(folder, `cache-${count++}`);
  lines = [];
});

const open = async (options: LoadOptions = {}): Promise<Model> =>
  load(path, cacheDir, { quantization: "q8", log: (line) => lines.push(line), ...options });

const answerOf = async (model: Model): Promise<Answer> =>
  run(new EngineLoop([model], roomyLimits), requestFor("tiny", { logprobs: 5, maxTokens: 20, ignoreEos: true }));

/** Changes bytes of a file, not its size. */
function overwrite(file: string, change: (bytes: Buffer) => unknown): void {
  const bytes = readFileSync(file);
  change(bytes);
  writeFileSync(file, bytes);
}

describe("a prepared model", () => {
  test("is made once, and the second time loaded without a word", async () => {
    const first = await open();
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /Preparing .*model/);
    const second = await open();
    assert.equal(lines.length, 1);
    assert.equal(second.info.fingerprint, first.info.fingerprint);
    assert.deepEqual(await answerOf(second), await answerOf(first));
  });

  test("is announced by one line, of which the first of a log alone says that this happens once", async () => {
    const log = (line: string): number => lines.push(line);
    for (const quantization of ["q8", "fp32"] as const) await open({ quantization, log });
    assert.deepEqual(
      lines.map((line) => [line.startsWith("Preparing "), line.includes("prepared once")]),
      [
        [true, true],
        [true, false],
      ],
    );
  });

  test("is another for another mode and for other weights, and they do not disturb each other", async () => {
    const other = join(folder, "other");
    writeTinyModel(other, { seed: 2 });
    const models = [
      await open(),
      await open({ quantization: "fp32" }),
      await open({ quantization: "w8a8" }),
      await load(other, cacheDir, { quantization: "q8" }),
    ];
    assert.equal(new Set(models.map(({ info }) => info.fingerprint)).size, 4);
    assert.equal(readdirSync(cacheDir).length, 4);
    assert.deepEqual(await answerOf(await open()), await answerOf(models[0]!));
  });

  test("has the same bits wherever it is made", async () => {
    const first = await answerOf(await open({ quantization: "w8a8" }));
    cacheDir = join(folder, "elsewhere");
    assert.deepEqual(await answerOf(await open({ quantization: "w8a8" })), first);
  });

  test("can lose its files while it is served", async () => {
    const model = await open();
    const before = await answerOf(model);
    rmSync(cacheDir, { recursive: true });
    assert.deepEqual(await answerOf(model), before);
    assert.deepEqual(await answerOf(await open()), before);
    assert.equal(lines.length, 2);
  });

  const damages: Record<string, (entry: string) => void> = {
    "its weights are cut": (entry) => truncateSync(join(entry, "weights.bin"), 100),
    "its weights are zeros": (entry) => overwrite(join(entry, "weights.bin"), (bytes) => bytes.fill(0)),
    "one bit of its weights is another": (entry) => overwrite(join(entry, "weights.bin"), (bytes) => (bytes[bytes.length >> 1]! ^= 1)),
    "the middle of its graph is other bytes": (entry) => overwrite(join(entry, "decoder.onnx"), (bytes) => bytes.fill(0xff, 100, 200)),
    "a graph is gone": (entry) => rmSync(join(entry, "decoder.onnx")),
    "a graph is empty": (entry) => writeFileSync(join(entry, "decoder.onnx"), ""),
    "it was never finished": (entry) => rmSync(join(entry, "checksums.json")),
  };
  for (const [damage, spoil] of Object.entries(damages)) {
    test(`is made anew when ${damage}`, async () => {
      const before = await answerOf(await open());
      spoil(join(cacheDir, readdirSync(cacheDir)[0]!));
      assert.deepEqual(await answerOf(await open()), before);
      assert.equal(lines.length, 3);
      assert.match(lines[1]!, /are damaged: .* They are made anew/);
      assert.match(lines[2]!, /^Preparing /);
      await open();
      assert.equal(lines.length, 3);
    });
  }

  test("goes when others are made and all together pass the limit", async () => {
    await open();
    await open({ quantization: "fp32", maxCacheBytes: 1 });
    assert.equal(readdirSync(cacheDir).length, 1);
    await open();
    assert.equal(lines.length, 3);
  });
});
