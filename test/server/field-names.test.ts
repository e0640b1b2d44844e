/** @file An error of the engine names the field that the request has, on every route and over every transport. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import { roomyLimits } from "../engine/answers.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { listen, startServer } from "./fixture.ts";
import { connect } from "./socket-client.ts";

const folder = temporaryFolder();
const path = join(folder, "tiny");
writeTinyModel(path);
const engine = await startEngine({
  ...roomyLimits,
  maxSequences: 4,
  models: [{ id: "tiny", path }],
  quantization: "fp32",
  cacheDir: join(folder, "cache"),
  threads: 1,
  log: () => {},
});
after(() => engine.close());

const long = "word ".repeat(2000);
const model = "tiny";
const messages = [{ role: "user", content: "Hi" }];
const longMessages = [{ role: "user", content: long }];

const cases: [route: string, body: object, param: string][] = [
  ["chat/completions", { messages: longMessages }, "messages"],
  ["chat/completions", { messages, max_tokens: 1e9 }, "max_tokens"],
  ["chat/completions", { messages, max_completion_tokens: 1e9 }, "max_completion_tokens"],
  ["chat/completions", { messages, max_tokens: null, max_completion_tokens: 1e9, stream: true }, "max_completion_tokens"],
  ["chat/completions", { messages, n: 5 }, "n"],
  ["chat/completions", { messages, best_of: 5, best_of_options: { strategy: "logprob" } }, "best_of"],
  ["completions", { prompt: long }, "prompt"],
  ["completions", { prompt: Array(2000).fill(1) }, "prompt"],
  ["completions", { prompt: [long, "a"], stream: true }, "prompt"],
  ["completions", { prompt: "a", max_tokens: 1e9 }, "max_tokens"],
  ["responses", { input: long }, "input"],
  ["responses", { input: "a", max_output_tokens: 1e9 }, "max_output_tokens"],
  ["responses", { input: long, stream: true }, "input"],
];

test("over HTTP", async (t) => {
  const { fastify } = await startServer(t, {}, Promise.resolve(engine));
  for (const [route, body, param] of cases) {
    const response = await fastify.inject({ method: "POST", url: `/v1/${route}`, payload: { model, ...body } });
    const { error } = response.json<ErrorBody>();
    assert.deepEqual([response.statusCode, error.param], [400, param], `${JSON.stringify(body).slice(0, 80)}: ${response.body}`);
    if (param !== "max_tokens") assert.doesNotMatch(error.message, /\bmax_tokens\b/);
  }
});

test("over WebSocket", async (t) => {
  const base = await listen(await startServer(t, {}, Promise.resolve(engine)));
  for (const [route, body, param] of cases.filter(([name]) => name !== "completions")) {
    const client = await connect(base, { path: `/v1/${route}` });
    const isChat = route === "chat/completions";
    client.send({ type: isChat ? "chat.completion.create" : "response.create", ...(isChat ? { stream_id: "a" } : {}), model, ...body });
    const { error } = (await client.until(({ type }) => type === "error")).at(-1) as unknown as ErrorBody;
    assert.equal(error.param, param, JSON.stringify(body).slice(0, 80));
    client.socket.terminate();
  }
});
