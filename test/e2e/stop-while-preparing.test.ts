/** @file A server that is told to stop while it prepares a model ends in order and leaves no half-made files. */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { startServeProgram, type RunningServer } from "./program.ts";

const folder = temporaryFolder();
const model = join(folder, "deep");
// So many layers that preparing takes seconds.
writeTinyModel(model, { layers: 40, hiddenSize: 32, intermediateSize: 32, headDim: 8 });

const namesIn = (cacheDir: string): string[] => (existsSync(cacheDir) ? readdirSync(cacheDir) : []);

/** A server that has begun to prepare the model. */
async function preparing(cacheDir: string): Promise<RunningServer> {
  const server = await startServeProgram(["--model", model, "--cache-dir", cacheDir], { awaitsModels: false });
  while (!namesIn(cacheDir).some((name) => name.startsWith("making-"))) await sleep(10);
  return server;
}

describe("while a model is prepared", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} ends the server with status 0 and nothing left in the cache`, async () => {
      const cacheDir = join(folder, signal);
      const server = await preparing(cacheDir);
      const { status, stderr } = await server.stop(signal);
      assert.equal(status, 0, stderr);
      assert.match(stderr, /Stopping/);
      assert.deepEqual(namesIn(cacheDir), []);
    });
  }
});
