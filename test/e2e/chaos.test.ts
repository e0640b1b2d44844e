/** @file One round of each kind of chaos, as `npm run chaos` does: nothing is lost. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../../src/catalog/project-root.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const folder = temporaryFolder();

test("a server, a worker, a trainer, a collection and a pull that are killed lose nothing", () => {
  const table = join(folder, "CHAOS.md");
  const words = ["--import", "tsx", "scripts/chaos.ts", "--rounds", "5", "--seed", "3", "--output", table];
  const env = { ...process.env, TMPDIR: folder };
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: projectRoot(), env, encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  assert.match(readFileSync(table, "utf8"), /^\| all \| \| 5 \| \d+ \| 0 \|$/m);
});
