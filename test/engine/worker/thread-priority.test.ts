/** @file The compute thread has its own priority, and the process keeps its own. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { defaultConfig } from "../../../src/config/options.ts";
import { startEngine } from "../../../src/engine/worker/start-engine.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../../fixtures/tiny-model.ts";

const folder = temporaryFolder();

test("threads that compute are behind the one that answers", { skip: process.platform !== "linux" && "Linux alone has it" }, async () => {
  const path = join(folder, "model");
  writeTinyModel(path, {});
  const before = getPriority(process.pid);
  const engine = await startEngine({
    ...defaultConfig(),
    models: [{ id: "tiny", path }],
    cacheDir: join(folder, "cache"),
    threads: 2,
    log: () => undefined,
  });
  try {
    const priorities = readdirSync(`/proc/${process.pid}/task`).map((id) => getPriority(Number(id)));
    assert.equal(getPriority(process.pid), before);
    // The worker and at least one thread of ONNX Runtime's.
    assert.ok(priorities.filter((priority) => priority > before).length >= 2, priorities.join());
  } finally {
    await engine.close();
  }
});
