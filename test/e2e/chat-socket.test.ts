/**
 * @file Chats over WebSocket against the whole program: the HTTP answer for the same seed, and rows that are free as
 * soon as a client vanishes.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { preparedModels } from "../fixtures/prepared-models.ts";
import { smolLM2Path, withoutSmolLM2 } from "../fixtures/real-models.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { connect, isDone, textOf } from "../server/socket-client.ts";
import { startServeProgram, type RunningServer } from "./program.ts";

interface Answer {
  choices: { message: { content: string } }[];
  usage: { completion_tokens: number };
}

function suite(name: string, skip: string | false, modelPath: (folder: string) => string, options: string[]): void {
  describe(`chats over WebSocket to ${name}`, { skip }, () => {
    const folder = temporaryFolder();
    const messages = [{ role: "user", content: "Name three colours." }];
    let server: RunningServer;

    before(async () => {
      server = await startServeProgram(
        ["--model", `served=${modelPath(folder)}`, "--cache-dir", preparedModels(), "--log-level", "warn", ...options],
        {},
      );
    });
    after(async () => {
      assert.equal((await server.stop()).status, 0);
    });

    const create = (streamId: string, fields: object) => ({
      type: "chat.completion.create",
      stream_id: streamId,
      model: "served",
      messages,
      max_tokens: 16,
      ...fields,
    });
    const post = async (fields: object): Promise<Answer> => {
      const response = await fetch(`${server.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "served", messages, max_tokens: 16, ...fields }),
      });
      return (await response.json()) as Answer;
    };
    const metric = async (metricName: string): Promise<number> => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return Number(new RegExp(`^${metricName} (\\S+)$`, "m").exec(text)![1]);
    };

    test("the text of each of many streams is the HTTP answer for its seed", async () => {
      const client = await connect(server.url);
      const seeds = [1, 2, 3, 4, 5, 6];
      for (const seed of seeds) client.send(create(String(seed), { seed }));
      const open = new Set(seeds.map(String));
      const frames = await client.until((frame) => {
        if (isDone(frame.stream_id ?? "")(frame)) open.delete(frame.stream_id!);
        return open.size === 0;
      });
      for (const seed of seeds) {
        const { choices, usage } = await post({ seed });
        assert.equal(textOf(frames, String(seed)), choices[0]!.message.content);
        const done = frames.find((frame) => frame.type === "chat.completion.done" && frame.stream_id === String(seed))!;
        assert.equal((done["usage"] as Answer["usage"]).completion_tokens, usage.completion_tokens);
      }
      client.socket.close();
    });

    test("so is the winner of Best-of-N", async () => {
      const client = await connect(server.url);
      const fields = { seed: 3, best_of: 6, best_of_options: { strategy: "logprob" } };
      client.send(create("best", fields));
      const frames = await client.until(isDone("best"));
      assert.equal(frames.at(-1)!.type, "chat.completion.done", JSON.stringify(frames.at(-1)));
      assert.equal(textOf(frames, "best"), (await post(fields)).choices[0]!.message.content);
      client.socket.close();
    });

    test("a client that vanishes in the middle of Best-of-16 leaves no row behind", async () => {
      const client = await connect(server.url);
      const fields = { best_of: 16, best_of_options: { strategy: "logprob" }, ignore_eos: true, max_tokens: 400 };
      client.send(create("gone", fields));
      while ((await metric("bonsai_sequences_running")) < 16) await new Promise((resolve) => setTimeout(resolve, 5));
      client.socket.terminate();
      while ((await metric("bonsai_sequences_running")) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      // Sixteen rows of 400 tokens were asked for; what was left of them was never computed.
      assert.ok((await metric("bonsai_generated_tokens_total")) < 16 * 400);
    });
  });
}

suite(
  "a tiny model",
  false,
  (folder) => {
    writeTinyModel(join(folder, "tiny"), { contextLength: 1024 });
    return join(folder, "tiny");
  },
  ["--quantization", "fp32"],
);
suite("SmolLM2", withoutSmolLM2, () => smolLM2Path()!, []);
