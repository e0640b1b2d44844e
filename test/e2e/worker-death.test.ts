/**
 * @file A compute worker that dies by a signal, as native code dies: the server lives, and answers again. Linux alone
 * lists a process's children.
 */

import assert from "node:assert/strict";
import { readFileSync, readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { goldenPath } from "../architectures/goldens.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { startServeProgram, type RunningServer } from "./program.ts";

const cacheDir = join(temporaryFolder(), "cache");
const skip = process.platform !== "linux" && "the children of a process are read from /proc";
const sleep = async (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const start = async (): Promise<RunningServer> =>
  startServeProgram(["--model", goldenPath("llama"), "--quantization", "fp32", "--cache-dir", cacheDir]);

function workerOf({ child }: RunningServer): number {
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ");
  return Number(children.find((id) => readFileSync(`/proc/${id}/cmdline`, "utf8").includes("compute-worker")));
}

const ask = async ({ url }: RunningServer, fields: object): Promise<Response> =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "llama", prompt: "a", max_tokens: 8, seed: 1, temperature: 1, ...fields }),
  });

async function answerOf(server: RunningServer): Promise<unknown> {
  const response = await ask(server, {});
  assert.equal(response.status, 200, await response.clone().text());
  const { choices, system_fingerprint } = (await response.json()) as { choices: unknown; system_fingerprint: string };
  return { choices, system_fingerprint };
}

async function untilReady({ url }: RunningServer): Promise<void> {
  while ((await fetch(`${url}/health/ready`)).status !== 200) await sleep(20);
}

describe("a server whose compute worker dies by a signal", { skip }, () => {
  for (const signal of ["SIGKILL", "SIGABRT", "SIGBUS"] as const) {
    test(`${signal}: what runs fails, others are told when to come again, then the same answer comes`, async (t) => {
      const server = await start();
      t.after(async () => server.stop());
      const answer = await answerOf(server);
      const endless = { max_tokens: 200, n: 64, logprobs: 5 };
      const streams = await Promise.all([ask(server, { ...endless, stream: true }), ask(server, { ...endless, stream: true, seed: 2 })]);
      const whole = ask(server, endless);
      process.kill(workerOf(server), signal);
      for (const stream of streams) {
        assert.equal(stream.status, 200);
        const text = await stream.text();
        assert.ok(text.includes('"code":"engine_failed"'), text.slice(-500));
      }
      assert.equal((await whole).status, 503);
      const refused = await ask(server, {});
      assert.equal(refused.status, 503);
      assert.ok(Number(refused.headers.get("retry-after")) >= 1);
      assert.equal((await fetch(`${server.url}/health/ready`)).status, 503);
      assert.equal((await fetch(`${server.url}/health/live`)).status, 200);
      await untilReady(server);
      assert.ok(server.output.stderr.includes(`The compute worker stopped (${signal})`), server.output.stderr);
      assert.deepEqual(await answerOf(server), answer);
      const { status } = await server.stop();
      assert.equal(status, 0);
    });
  }

  test("prepared weights that are cut off under it end the worker alone, and are made again", async (t) => {
    const server = await start();
    t.after(async () => server.stop());
    const answer = await answerOf(server);
    const weights = readdirSync(cacheDir, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith("weights.bin"));
    assert.equal(weights.length, 1);
    truncateSync(join(cacheDir, weights[0]!), 0);
    const response = await ask(server, {});
    assert.equal(response.status, 503);
    assert.match(await response.text(), /engine_failed/);
    await untilReady(server);
    assert.match(server.output.stderr, /The compute worker stopped \(SIGBUS\)/);
    assert.deepEqual(await answerOf(server), answer);
  });

  test("a server that is killed leaves no worker behind", async () => {
    const server = await start();
    const worker = workerOf(server);
    await server.stop("SIGKILL");
    const lives = (): boolean => {
      try {
        return !readFileSync(`/proc/${worker}/stat`, "utf8").includes(") Z ");
      } catch {
        return false;
      }
    };
    while (lives()) await sleep(20);
  });
});
