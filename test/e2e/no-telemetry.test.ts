/**
 * @file The program leaves no file beside its own and looks up no host: ONNX Runtime's telemetry is off in every
 * process that loads the library.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { goldenPath } from "../architectures/goldens.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { soundRows, writeJsonLines } from "../training/data/sound-rows.ts";
import { runProgram, startServeProgram } from "./program.ts";

const root = temporaryFolder();
// The test process itself may have it set; the program must turn telemetry off by itself.
delete process.env["ORT_DISABLE_TELEMETRY"];

/** An environment in which all places for a user's files are new and empty. */
function freshPlaces(name: string): { environment: Record<string, string>; leftovers: () => string[] } {
  const home = join(root, name);
  mkdirSync(home);
  return {
    environment: { HOME: home, TMPDIR: home, XDG_CACHE_HOME: home, XDG_DATA_HOME: home },
    // The loader of TypeScript keeps what it compiled in tsx-UID; the program keeps its own files in bonsai folders.
    leftovers: () =>
      readdirSync(home, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(home.length + 1))
        .filter((path) => !/^tsx-\d+\/|bonsai/.test(path)),
  };
}

const isTraceable = ((): boolean => {
  try {
    execFileSync("strace", ["-f", "-o", join(root, "probe"), "true"]);
    return true;
  } catch {
    return false;
  }
})();

describe("no process of the program keeps telemetry", () => {
  test("of a server that answers", async () => {
    const { environment, leftovers } = freshPlaces("serve");
    const server = await startServeProgram(["--model", goldenPath("llama"), "--quantization", "fp32"], { environment });
    const body = JSON.stringify({ model: "llama", prompt: "a", max_tokens: 2 });
    const answer = await fetch(`${server.url}/v1/completions`, { method: "POST", body, headers: { "content-type": "application/json" } });
    assert.equal(answer.status, 200);
    await server.stop();
    assert.deepEqual(leftovers(), []);
  });

  test("of a trainer", async () => {
    const { environment, leftovers } = freshPlaces("train");
    const dataset = writeJsonLines(join(root, "rows.jsonl"), soundRows(4));
    const words = `train:sft --model ${goldenPath("llama")} --dataset ${dataset} --output-dir ${join(root, "out")} --max-steps 1`.split(
      " ",
    );
    const { status, stderr } = await runProgram(words, environment);
    assert.equal(status, 0, stderr);
    assert.deepEqual(leftovers(), []);
  });

  test("nor does it look a host up", { skip: isTraceable ? false : "strace is not installed" }, () => {
    const { environment } = freshPlaces("traced");
    const trace = join(root, "connections");
    const dataset = writeJsonLines(join(root, "traced.jsonl"), soundRows(4));
    const command = `train:sft --model ${goldenPath("llama")} --dataset ${dataset} --output-dir ${join(root, "traced-out")} --max-steps 1`;
    const words = [
      "-f",
      "-e",
      "trace=connect,sendto",
      "-o",
      trace,
      process.execPath,
      "--import",
      "tsx",
      "src/cli/main.ts",
      ...command.split(" "),
    ];
    execFileSync("strace", words, { env: { ...process.env, ...environment }, stdio: "ignore" });
    const lookups = readFileSync(trace, "utf8")
      .split("\n")
      .filter((line) => /AF_INET6?\b/.test(line));
    assert.deepEqual(lookups, []);
  });
});
