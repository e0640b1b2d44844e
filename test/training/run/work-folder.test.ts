/** @file One process in an output folder at a time, and nothing left of one that was killed. */

import assert from "node:assert/strict";
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openWorkFolder } from "../../../src/training/run/work-folder.ts";
import { assertRejected } from "../../formats/expect-error.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";

const root = temporaryFolder();
const program = fileURLToPath(new URL("lock-holder.ts", import.meta.url));
const holders: Holder[] = [];
after(() => holders.forEach((holder) => holder.child.kill("SIGKILL")));

/** A process that takes folders. */
interface Holder {
  child: ChildProcessWithoutNullStreams;
  /** Its next line of output. */
  says: () => Promise<string>;
}

async function startHolder(): Promise<Holder> {
  const child = spawn(process.execPath, ["--import", "tsx", program], { stdio: "pipe" });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const holder = { child, says: async () => String((await lines.next()).value) };
  holders.push(holder);
  assert.equal(await holder.says(), "ready");
  return holder;
}

async function kill({ child }: Holder): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function assertHeld(output: string, message: RegExp): Promise<void> {
  await assertRejected(openWorkFolder(output), "usage", message);
}

/** A lock of process 1 of another host that was refreshed this long ago, with a file of its run. */
function writeForeignLock(output: string, ageMs: number): void {
  mkdirSync(join(output, ".work.lock"), { recursive: true });
  mkdirSync(join(output, ".work"));
  writeFileSync(join(output, ".work", "owner.json"), JSON.stringify({ host: "another-host", process: 1 }));
  writeFileSync(join(output, ".work", "weights.bin"), "of the other");
  const refreshed = new Date(Date.now() - ageMs);
  utimesSync(join(output, ".work.lock"), refreshed, refreshed);
}

describe("the lock on an output folder", () => {
  test("of a live process is not broken, and is free once the process is killed", async () => {
    const output = join(root, "taken");
    const holder = await startHolder();
    holder.child.stdin.write(output);
    assert.equal(await holder.says(), "taken");
    writeFileSync(join(output, ".work", "weights.bin"), "of the other");
    await assertHeld(output, new RegExp(`process ${holder.child.pid} trains into .*taken`));
    assert.ok(existsSync(join(output, ".work", "weights.bin")), "nothing of a living run is touched");
    await kill(holder);
    const work = await openWorkFolder(output);
    assert.deepEqual(readdirSync(work.path), ["owner.json"]);
    await work.remove();
  });

  test("of a process that ends is released, with the folder where nothing else is in it", async () => {
    const output = join(root, "released");
    const holder = await startHolder();
    holder.child.stdin.write(output);
    assert.equal(await holder.says(), "taken");
    holder.child.stdin.end();
    await once(holder.child, "exit");
    assert.equal(existsSync(output), false);
  });

  test("is taken by one of several processes that race for it, free or left by a killed one", async () => {
    const racers = await Promise.all([startHolder(), startHolder(), startHolder()]);
    for (let round = 0; round < 12; round++) {
      const output = join(root, `race-${round}`);
      if (round % 2 === 1) {
        // What a killed process leaves: no process has this id.
        mkdirSync(join(output, ".work.lock"), { recursive: true });
        mkdirSync(join(output, ".work"));
        writeFileSync(join(output, ".work", "owner.json"), JSON.stringify({ host: hostname(), process: 2 ** 30 }));
      }
      for (const { child } of racers) child.stdin.write(output);
      const answers = await Promise.all(racers.map(async ({ says }) => says()));
      assert.deepEqual(answers.toSorted(), ["taken", "usage", "usage"], `round ${round}`);
      const owner = JSON.parse(readFileSync(join(output, ".work", "owner.json"), "utf8")) as { process: number };
      assert.equal(owner.process, racers[answers.indexOf("taken")]!.child.pid);
    }
  });

  test("of another host is respected until it is stale", async () => {
    const output = join(root, "foreign");
    writeForeignLock(output, 60_000);
    await assertHeld(output, /process 1 of another-host trains into/);
    assert.equal(readFileSync(join(output, ".work", "weights.bin"), "utf8"), "of the other");
    const stale = join(root, "stale");
    writeForeignLock(stale, 3_600_000);
    const work = await openWorkFolder(stale);
    assert.deepEqual(readdirSync(work.path), ["owner.json"]);
    await work.remove();
  });

  test("of this process is not taken twice, and a process id of before is not this process", async () => {
    const output = join(root, "twice");
    const work = await openWorkFolder(output);
    work.requireHeld();
    await assertHeld(output, new RegExp(`process ${process.pid} trains into`));
    await work.remove();
    mkdirSync(join(output, ".work.lock"), { recursive: true });
    mkdirSync(join(output, ".work"));
    writeFileSync(join(output, ".work", "owner.json"), JSON.stringify({ host: hostname(), process: process.pid }));
    await (await openWorkFolder(output)).remove();
    assert.equal(existsSync(output), false);
  });
});

test("a run whose lock another process took over says so, and removes nothing of the other", async () => {
  const output = join(root, "lost");
  const work = await openWorkFolder(output);
  // As the other process does it: a lock of its own in place of the stale one.
  rmdirSync(join(output, ".work.lock"));
  mkdirSync(join(output, ".work.lock"));
  utimesSync(join(output, ".work.lock"), new Date(0), new Date(0));
  for (;;) {
    try {
      work.requireHeld();
    } catch (error) {
      assert.ok(error instanceof BonsaiError && error.code === "write_failed", String(error));
      break;
    }
    // The loss is seen when the lock is refreshed next.
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await work.remove();
  assert.deepEqual(readdirSync(output).toSorted(), [".work", ".work.lock"]);
});

test("what is left of a killed run is removed, and what the run has made is not", async () => {
  const output = join(root, "left");
  mkdirSync(join(output, ".work"), { recursive: true });
  for (const name of ["metrics.jsonl", "model.safetensors.123.partial", ".work/owner.json", ".work/graph.onnx"])
    writeFileSync(join(output, name), "{");
  const work = await openWorkFolder(output);
  assert.deepEqual(readdirSync(output).toSorted(), [".work", ".work.lock", "metrics.jsonl"]);
  await work.remove();
  assert.deepEqual(readdirSync(output), ["metrics.jsonl"]);
});

test("a run that leaves nothing leaves no folder", async () => {
  const output = join(root, "new");
  await (await openWorkFolder(output)).remove();
  assert.equal(existsSync(output), false);
});
