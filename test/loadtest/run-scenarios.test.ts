/**
 * @file Tests that a run takes what was measured before, starts no server for it, and that Control-C ends one with its
 * server.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { KeptResults } from "../../loadtest/kept-results.ts";
import { plans } from "../../loadtest/plan.ts";
import { runScenarios, type RunSettings } from "../../loadtest/run-scenarios.ts";
import type { Scenario } from "../../loadtest/scenario.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

const folder = temporaryFolder();

/** It would need a server, which its flags would not let start. */
const scenario = (id: string): Scenario => ({
  id,
  flags: ["--no-such-flag"],
  run: async () => assert.fail("It was measured before."),
});

function settings(signal: AbortSignal, lines: string[] = []): RunSettings {
  const kept = new KeptResults(join(folder, "kept"), "this run");
  return { plan: plans.quick, prompts: [], signal, kept, say: (line) => lines.push(line), fromSource: true };
}

describe("a run that goes on", () => {
  it("takes the results that are kept, and starts no server when nothing is left to measure", async () => {
    const lines: string[] = [];
    const going = settings(new AbortController().signal, lines);
    going.kept.keep("first", { answered: 1 });
    going.kept.keep("second", { answered: 2 });
    const results = await runScenarios([scenario("first"), scenario("second")], going);
    assert.deepEqual(
      [...results],
      [
        ["first", { answered: 1 }],
        ["second", { answered: 2 }],
      ],
    );
    assert.deepEqual(lines, ["[1/2] first: measured before", "[2/2] second: measured before"]);
  });

  it("starts nothing once it has been interrupted", async () => {
    const controller = new AbortController();
    controller.abort(new Error("interrupted"));
    await assert.rejects(runScenarios([scenario("third")], settings(controller.signal)), /interrupted/);
  });
});

describe("Control-C", () => {
  it("ends a run with status 130 and stops the server", async () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const run = spawn(process.execPath, ["--import", "tsx", "loadtest/run.ts", "--quick"], {
      cwd: root,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let told = "";
    let isTold = false;
    run.stderr.setEncoding("utf8");
    run.stderr.on("data", (text: string) => {
      told += text;
      if (isTold || !/^\[1\//m.test(told)) return;
      isTold = run.kill("SIGINT");
      // npm passes a terminal's Control-C on to a process that has had it already.
      setTimeout(() => run.kill("SIGINT"), 20);
    });
    const [status] = (await once(run, "close")) as [number];
    assert.equal(status, 130, told);
    assert.match(told, /^Interrupted\./m);
    const url = /^Serving on (\S+):/m.exec(told)?.[1];
    await assert.rejects(fetch(`${url}/health/live`), /fetch failed/);
  });
});
