/** @file `bonsai serve` as a person meets it: help, errors of one line, exit statuses, signals. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { connect, createServer, type AddressInfo } from "node:net";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { logDestination } from "../../src/cli/terminal/log-destination.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { runProgram, startServeProgram } from "./program.ts";

const folder = temporaryFolder();
const tiny = join(folder, "tiny");
writeTinyModel(tiny);
writeTinyModel(join(folder, "no-tokenizer"));
rmSync(join(folder, "no-tokenizer", "tokenizer.json"));
const tinyServer = ["--model", `tiny=${tiny}`, "--quantization", "fp32", "--cache-dir", join(folder, "cache")];
const quietServer = [...tinyServer, "--log-level", "warn"];

test("help and version print to stdout and exit with 0", async () => {
  const help = await runProgram(["serve", "--help"]);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /--port N/);
  const version = await runProgram(["serve", "--version"]);
  assert.deepEqual([version.status, version.stdout.trim()], [0, "0.1.0"]);
});

test("wrong usage is one line on stderr and exit status 2", async () => {
  for (const args of [
    ["--prot", "1"],
    ["--port", "x"],
    ["--device", "cuda"],
    ["--model", "no-such-model"],
  ]) {
    const { status, stderr, stdout } = await runProgram(["serve", "--port", "0", "--log-level", "silent", ...args]);
    assert.equal(status, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr.trim().split("\n").at(-1)!, /^serve: /);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
});

test("a model that cannot be loaded is one line and exit status 1", async () => {
  const { status, stderr } = await runProgram(["serve", "--port", "0", "--log-level", "silent", "--model", join(folder, "absent.gguf")]);
  assert.ok(status === 1 || status === 2, stderr);
  assert.match(stderr.trim().split("\n").at(-1)!, /^serve: .*absent\.gguf/);
});

test("a port in use is one line and exit status 1, before any model is loaded", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;
  const { status, stderr } = await runProgram(["serve", "--port", String(port), "--log-level", "silent"]);
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`serve: Cannot listen on 127.0.0.1:${port}: the port is in use`));
});

test("the command that the startup block offers works as it stands", async (t) => {
  const server = await startServeProgram(quietServer);
  t.after(() => server.stop());
  const body = /-d '(.*)'/.exec(server.output.stderr)![1]!;
  const url = /curl (\S+)/.exec(server.output.stderr)![1]!;
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(response.status, 200, await response.text());
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`at ${signal} a running stream finishes, and the program exits with 0`, async () => {
    const server = await startServeProgram(quietServer);
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "Hi" }], stream: true, ignore_eos: true, max_tokens: 100 }),
    });
    const reader = response.body!.getReader();
    await reader.read();
    const stopped = server.stop(signal);
    let text = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += new TextDecoder().decode(part.value);
    assert.ok(text.endsWith("data: [DONE]\n\n"));
    const { status, stderr } = await stopped;
    assert.equal(status, 0, stderr);
  });
}

test("connections that never ask for anything do not keep the program: neither at SIGTERM nor when its model cannot be loaded", async (t) => {
  for (const model of [quietServer, ["--model", join(folder, "no-tokenizer"), "--log-level", "silent"]]) {
    const server = await startServeProgram(model, { awaitsModels: false });
    const { hostname, port } = new URL(server.url);
    for (const sent of [
      "",
      "GET / HT",
      "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
    ]) {
      const socket = connect({ host: hostname, port: Number(port) }).on("error", () => undefined);
      t.after(() => socket.destroy());
      socket.write(sent);
    }
    if (model === quietServer) while (!server.output.stderr.includes("Ready")) await new Promise((resolve) => setTimeout(resolve, 10));
    const { status, stderr } = model === quietServer ? await server.stop() : await server.ended;
    assert.equal(status, model === quietServer ? 0 : 1, stderr);
  }
});

test("signals within a second of the first are the same one: the running stream finishes", async () => {
  const server = await startServeProgram(quietServer);
  const response = await fetch(`${server.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "tiny", prompt: "x", stream: true, ignore_eos: true, max_tokens: 100 }),
  });
  // As npm does: the terminal's signal, and the same again from npm.
  server.child.kill("SIGINT");
  const stopped = server.stop("SIGINT");
  assert.ok((await response.text()).endsWith("data: [DONE]\n\n"));
  const { status, stderr } = await stopped;
  assert.equal(status, 0, stderr);
});

test("log lines are JSON in a pipe, and lines for people where that is asked for", async () => {
  for (const [format, isJson] of [
    ["auto", true],
    ["pretty", false],
  ] as const) {
    const server = await startServeProgram([...tinyServer, "--log-level", "info", "--log-format", format]);
    await (await fetch(`${server.url}/v1/models`)).text();
    const { status, stdout } = await server.stop();
    assert.equal(status, 0);
    const lines = stdout.trim().split("\n");
    assert.ok(lines.length > 1);
    for (const line of lines) assert.equal(line.startsWith("{"), isJson, line);
  }
});

test("a terminal gets lines for people, a pipe does not", () => {
  assert.equal(logDestination("auto", {}), undefined);
  assert.equal(logDestination("json", { isTTY: true }), undefined);
  assert.notEqual(logDestination("auto", { isTTY: true }), undefined);
});

test("a reward model that is not served is refused at start, with the one that was meant", async () => {
  const rewards = ["--model", `judge=${fileURLToPath(new URL("../oracle/rewards/llama", import.meta.url))}`];
  for (const wrong of [
    ["--reward-model", "jugde"],
    ["--reward-ensemble", "both=jugde+judge"],
  ]) {
    const { status, stderr } = await runProgram(["serve", "--port", "0", "--log-level", "silent", ...tinyServer, ...rewards, ...wrong]);
    assert.equal(status, 2, stderr);
    assert.match(stderr, /"jugde".* Did you mean "?judge"?\?/);
  }
});

test("an old Node is refused in one sentence", () => {
  const script = fileURLToPath(new URL("../../scripts/check-node.cjs", import.meta.url));
  const check = (version: string) =>
    spawnSync(
      process.execPath,
      ["-e", `Object.defineProperty(process, "version", { value: "${version}" }); require(${JSON.stringify(script)})`],
      {
        encoding: "utf8",
      },
    );
  for (const version of ["v18.20.8", "v20.18.3", "v8.17.0"]) {
    const { status, stderr } = check(version);
    assert.deepEqual([status, stderr], [1, `Bonsai needs Node 20.19 or later; this is ${version}.\n`]);
  }
  for (const version of ["v20.19.0", "v22.0.0", "v26.1.0"]) assert.equal(check(version).status, 0);
});

test("a second signal stops at once", async () => {
  const server = await startServeProgram([...quietServer, "--shutdown-grace", "3600"]);
  const response = await fetch(`${server.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    // A reader that takes nothing holds its stream open.
    body: JSON.stringify({ model: "tiny", prompt: "x", stream: true, ignore_eos: true, max_tokens: 200, n: 64 }),
  });
  server.child.kill("SIGTERM");
  while (!server.output.stderr.includes("a second signal")) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(response.status, 200);
  // Within a second it would be taken for the first one.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const { status } = await server.stop("SIGTERM");
  assert.ok(status === 143 || status === 0);
  await response.body!.cancel().catch(() => undefined);
});
