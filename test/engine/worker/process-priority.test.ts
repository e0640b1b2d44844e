/** @file The compute worker has a priority of its own, and the process that answers keeps its own. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultConfig } from "../../../src/config/options.ts";
import { startEngine } from "../../../src/engine/worker/start-engine.ts";
import { nextComputeWorker } from "../../fixtures/compute-worker.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../../fixtures/tiny-model.ts";

const folder = temporaryFolder();

const skip = process.platform !== "linux" && "Linux alone has it";

/**
 * How many threads of this process have a higher niceness than the one that answers, while an engine runs, and how many
 * a lower one.
 */
async function threadsAround(name: string): Promise<{ behind: number; before: number }> {
  const path = join(folder, name);
  writeTinyModel(path, {});
  const own = getPriority(process.pid);
  const started = nextComputeWorker();
  const engine = await startEngine({
    ...defaultConfig(),
    models: [{ id: "tiny", path }],
    cacheDir: join(folder, "cache"),
    threads: 2,
    log: () => undefined,
  });
  try {
    const priorities = readdirSync(`/proc/${(await started).pid}/task`).map((id) => getPriority(Number(id)));
    assert.equal(getPriority(process.pid), own);
    return { behind: priorities.filter((one) => one > own).length, before: priorities.filter((one) => one < own).length };
  } finally {
    await engine.close();
  }
}

test("threads that compute are behind the one that answers", { skip }, async () => {
  // The worker and at least one thread of ONNX Runtime's.
  const { behind } = await threadsAround("usual");
  assert.ok(behind >= 2, `${behind} threads`);
});

test("they are behind it as well where the program was started under nice", { skip }, async () => {
  for (const id of readdirSync(`/proc/${process.pid}/task`)) setPriority(Number(id), Math.max(12, getPriority(process.pid)));
  const { behind, before } = await threadsAround("nice");
  assert.ok(behind >= 2 && before === 0, `${behind} behind, ${before} before`);
});
