/** @file What fails inside reaches clients as a sentence without details and an id; the log has the whole under it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { fromWire, toWire } from "../../src/engine/worker/wire-error.ts";
import { hello, listen, startFixture } from "./fixture.ts";
import { connect } from "./socket-client.ts";

const id = "the-request-7";
const conversation = { messages: [hello.messages[0], { role: "assistant", content: "Hi" }] };

const failures: [name: string, error: Error][] = [
  ["a bug of the server", new TypeError("PRIVATE is not a function")],
  ["a bug of the compute worker", fromWire(toWire(new TypeError("PRIVATE is not a function")))],
  ["the end of the compute worker", new BonsaiError("engine_failed", "The compute worker stopped (exit 1): PRIVATE native message.")],
  ["a model file", new BonsaiError("unsupported_model", "models/PRIVATE.gguf: the tensor ends beyond the file.")],
  ["a file system", new BonsaiError("write_failed", "PRIVATE cannot be written.", { cause: new Error("ENOSPC: PRIVATE") })],
];

for (const [name, error] of failures) {
  test(`the message of ${name} stays in the log`, async (t) => {
    const lines: string[] = [];
    const fail = (): never => {
      throw error;
    };
    const log = { write: (line: string) => void lines.push(line) };
    const fixture = await startFixture(t, { logLevel: "info" }, { failure: { position: 3, error }, beforeScore: fail }, log);
    const base = await listen(fixture);
    const told: string[] = [];
    for (const [route, body] of [
      ["chat/completions", hello],
      ["chat/completions", { ...hello, stream: true }],
      ["chat/completions", { ...hello, best_of: 2 }],
      ["completions", { model: "scripted", prompt: "x" }],
      ["completions", { model: "scripted", prompt: ["x", "y"], stream: true }],
      ["responses", { model: "scripted", input: "x" }],
      ["responses", { model: "scripted", input: "x", stream: true }],
      ["rewards", { model: "reward", input: [conversation] }],
      ["rerank", { model: "reward", query: "x", documents: ["y"] }],
    ] as const) {
      lines.length = 0;
      const response = await fetch(`${base}/v1/${route}`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-request-id": id },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      const last = response.headers.get("content-type")!.startsWith("text/event-stream") ? text.trimEnd().split("data: ").at(-1)! : text;
      told.push(last);
      assert.match(lines.join(""), new RegExp(`"level":50.*"reqId":"${id}".*PRIVATE`), `${route}: the log has no details`);
    }
    for (const [path, frame] of [
      ["/v1/chat/completions", { type: "chat.completion.create", stream_id: "a", ...hello }],
      ["/v1/responses", { type: "response.create", model: "scripted", input: "x" }],
    ] as const) {
      lines.length = 0;
      const client = await connect(base, { path, headers: { "x-request-id": id } });
      client.send(frame);
      told.push(JSON.stringify((await client.until(({ type }) => type === "error" || type === "response.failed")).at(-1)));
      client.socket.terminate();
      assert.match(lines.join(""), new RegExp(`"level":50.*"reqId":"${id}".*PRIVATE`), `${path}: the log has no details`);
    }
    for (const text of told) {
      assert.match(text, new RegExp(`The server failed on this request; its log has the details under request id ${id}\\.`));
      assert.doesNotMatch(text, /PRIVATE|\.ts|\bat /);
    }
  });
}
