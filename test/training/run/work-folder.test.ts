/** @file One run in an output folder at a time, and nothing left of one that was killed. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openWorkFolder } from "../../../src/training/run/work-folder.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { assertRefused } from "../../formats/expect-error.ts";

const root = temporaryFolder();

test("a folder in which another process runs is refused, and free once that is gone", async () => {
  const output = join(root, "taken");
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  mkdirSync(join(output, ".work"), { recursive: true });
  writeFileSync(join(output, ".work", "owner.json"), JSON.stringify({ host: hostname(), process: other.pid }));
  writeFileSync(join(output, ".work", "weights.bin"), "of the other");
  assertRefused(() => openWorkFolder(output), "usage", new RegExp(`process ${other.pid} trains into .*taken`));
  assert.ok(existsSync(join(output, ".work", "weights.bin")), "nothing of a living run is touched");
  other.kill("SIGKILL");
  await once(other, "exit");
  const work = openWorkFolder(output);
  assert.deepEqual(readdirSync(work.path), ["owner.json"]);
  work.remove();
});

test("what is left of a killed run is removed, and what the run has made is not", () => {
  const output = join(root, "left");
  mkdirSync(join(output, ".work"), { recursive: true });
  for (const name of ["metrics.jsonl", "model.safetensors.123.partial", ".work/owner.json", ".work/graph.onnx"])
    writeFileSync(join(output, name), "{");
  const work = openWorkFolder(output);
  assert.deepEqual(readdirSync(output).toSorted(), [".work", "metrics.jsonl"]);
  work.remove();
  assert.deepEqual(readdirSync(output), ["metrics.jsonl"]);
});

test("a run that leaves nothing leaves no folder", () => {
  const output = join(root, "new");
  openWorkFolder(output).remove();
  assert.equal(existsSync(output), false);
});
