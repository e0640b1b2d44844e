/** @file Model files that change on disk are noticed, and a worker that loads them again has another fingerprint. */

import assert from "node:assert/strict";
import { renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Engine } from "../../../src/engine/contract/request.ts";
import { ModelSources } from "../../../src/engine/worker/model-sources.ts";
import { startEngine, type EngineOptions } from "../../../src/engine/worker/start-engine.ts";
import { crash, nextComputeWorker } from "../../fixtures/compute-worker.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../../fixtures/tiny-model.ts";
import { requestFor, roomyLimits } from "../answers.ts";

const root = temporaryFolder();

const optionsFor = (path: string, lines: string[]): EngineOptions => ({
  ...roomyLimits,
  models: [{ id: "tiny", path }],
  quantization: "fp32",
  cacheDir: join(root, "cache"),
  threads: 1,
  log: (line) => lines.push(line),
});

const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function tokensOf(engine: Engine): Promise<number[]> {
  const ids: number[] = [];
  for await (const event of engine.generate(requestFor("tiny", { maxTokens: 12, ignoreEos: true })))
    if (event.type === "delta") ids.push(...event.tokenIds);
  return ids;
}

test("a change of size, of time, of inode, of the list of files, and their absence are noticed once each", () => {
  const folder = join(root, "model");
  writeTinyModel(folder);
  const adapter = join(root, "adapter.safetensors");
  writeFileSync(adapter, "adapter");
  const sources = new ModelSources({
    models: [{ id: "tiny", path: folder, adapters: [{ id: "tuned", path: adapter }] } as never],
    loop: roomyLimits,
  });
  sources.remember();
  assert.deepEqual(sources.newlyChanged(), []);
  const weights = join(folder, "model.safetensors");
  const config = join(folder, "config.json");
  const changes: [path: string, change: () => void][] = [
    [folder, () => truncateSync(weights, 100)],
    [folder, () => utimesSync(config, 1, 1)],
    [folder, () => writeFileSync(join(folder, "added.json"), "{}")],
    [folder, () => rmSync(join(folder, "added.json"))],
    [folder, () => rmSync(folder, { recursive: true })],
    [
      adapter,
      () => {
        writeFileSync(`${adapter}.new`, "adapter");
        utimesSync(`${adapter}.new`, 5, 5);
        utimesSync(adapter, 5, 5);
        sources.remember();
        renameSync(`${adapter}.new`, adapter);
      },
    ],
  ];
  for (const [path, change] of changes) {
    change();
    assert.deepEqual(sources.newlyChanged(), [path], String(change));
    assert.deepEqual(sources.newlyChanged(), []);
    assert.equal(sources.changedCount, 1);
    sources.remember();
    assert.deepEqual([sources.newlyChanged(), sources.changedCount], [[], 0]);
  }
});

test("the engine logs and counts a change, answers as before, and takes a new fingerprint with the new weights", async (t) => {
  const path = join(root, "changing");
  writeTinyModel(path, { seed: 1 });
  const lines: string[] = [];
  t.mock.timers.enable({ apis: ["setInterval"] });
  const started = nextComputeWorker();
  const engine = await startEngine(optionsFor(path, lines));
  t.after(async () => engine.close());
  const { fingerprint } = engine.models[0]!;
  const before = await tokensOf(engine);
  t.mock.timers.tick(30_000);
  assert.equal(engine.stats().changedModelSources, 0);

  writeTinyModel(path, { seed: 2 });
  t.mock.timers.tick(30_000);
  t.mock.timers.tick(30_000);
  assert.equal(engine.stats().changedModelSources, 1);
  assert.equal(lines.filter((line) => line.startsWith(`${path} has changed since it was loaded`)).length, 1);
  assert.equal(engine.models[0]!.fingerprint, fingerprint);
  assert.deepEqual(await tokensOf(engine), before);

  crash(await started);
  while (engine.unavailable === undefined) await turn();
  while (engine.unavailable !== undefined) await turn();
  const renewed = engine.models[0]!.fingerprint;
  assert.notEqual(renewed, fingerprint);
  assert.ok(lines.some((line) => line.includes(`its fingerprint was ${fingerprint} and is ${renewed} now`)));
  assert.notDeepEqual(await tokensOf(engine), before);
  assert.equal(engine.stats().workerRestarts, 1);
  assert.equal(engine.stats().changedModelSources, 0);
});

test("an engine whose worker fails eight times in a row starts no other, and says so", async (t) => {
  const path = join(root, "gone");
  writeTinyModel(path);
  const lines: string[] = [];
  const started = nextComputeWorker();
  const engine = await startEngine(optionsFor(path, lines));
  t.after(async () => engine.close());
  renameSync(path, `${path}.away`);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  crash(await started);
  const attempts = (): string[] => lines.flatMap((line) => /is started again in (\S+) s/.exec(line)?.slice(1) ?? []);
  for (let failures = 1; failures < 8; failures++) {
    while (attempts().length < failures) await turn();
    t.mock.timers.tick(60_000);
  }
  const lost = await engine.lost;
  assert.deepEqual(attempts(), ["1", "2", "4", "8", "16", "32", "60"]);
  assert.equal(lost.code, "engine_failed");
  assert.match(lost.message, /gone.*8/s);
  assert.equal(engine.unavailable, lost);
  await assert.rejects(tokensOf(engine), lost);
});
