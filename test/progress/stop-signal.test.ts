/** @file Two signals close together are one request to stop; a later one ends the process. With real processes. */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const modulePath = fileURLToPath(new URL("../../src/progress/stop-signal.ts", import.meta.url));

/** A command that takes `stopMs` to stop after its first signal, and then `exitMs` to end. */
async function startCommand(stopMs: number, exitMs: number): Promise<{ child: ChildProcess; ended: Promise<[unknown, unknown, string]> }> {
  const program = `
    import { stopSignal } from ${JSON.stringify(modulePath)};
    const stop = stopSignal("Stopped at once.");
    const alive = setInterval(() => {}, 1000);
    stop.requested.then(() => {
      console.log("stopping");
      setTimeout(() => {
        stop.release();
        setTimeout(() => clearInterval(alive), ${exitMs});
      }, ${stopMs});
    });
    console.log("ready");`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = once(child, "close").then(([status, signal]): [unknown, unknown, string] => [status, signal, errors]);
  await once(child.stdout, "data");
  return { child, ended };
}

describe("a signal that comes twice within 20 ms", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    for (const [stopMs, exitMs] of [
      [500, 0],
      [0, 500],
    ] as const)
      it(`is one ${signal}, to a command that stops in ${stopMs} ms and ends in ${exitMs} ms`, async () => {
        const { child, ended } = await startCommand(stopMs, exitMs);
        child.kill(signal);
        await sleep(20);
        child.kill(signal);
        assert.deepEqual(await ended, [0, null, ""]);
      });
});

describe("a signal more than a second after the first", () => {
  it("ends the process at once", async () => {
    const { child, ended } = await startCommand(600_000, 0);
    child.kill("SIGINT");
    await once(child.stdout!, "data");
    await sleep(1100);
    child.kill("SIGINT");
    assert.deepEqual(await ended, [null, "SIGINT", "Stopped at once.\n"]);
  });
});
