/** @file The official client's Responses API, its streaming helpers and its ResponsesWS, against the whole program. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";
import { preparedModels } from "../fixtures/prepared-models.ts";
import { smolLM2Path, withoutSmolLM2 } from "../fixtures/real-models.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { startServeProgram, type RunningServer } from "./program.ts";

type ServerEvent = OpenAI.Responses.ResponsesServerEvent & { stream_id?: string };
const extra = (fields: object): object => fields;

function suite(name: string, skip: string | false, modelPath: (folder: string) => string, options: string[]): void {
  describe(`the official client's responses over ${name}`, { skip }, () => {
    const folder = temporaryFolder();
    const key = "sk-end-to-end";
    const model = "served";
    let server: RunningServer;
    let client: OpenAI;

    before(async () => {
      server = await startServeProgram(
        ["--model", `${model}=${modelPath(folder)}`, "--cache-dir", preparedModels(), "--log-level", "warn", ...options],
        { environment: { BONSAI_API_KEY: key } },
      );
      client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: key, maxRetries: 0 });
    });
    after(async () => {
      const { status } = await server.stop();
      assert.equal(status, 0);
    });

    const params = { model, max_output_tokens: 16, ...extra({ seed: 1 }) };
    const create = async (input: string, fields: Partial<OpenAI.Responses.ResponseCreateParamsNonStreaming> = {}) =>
      client.responses.create({ ...params, input, ...fields });
    const chat = async (messages: OpenAI.ChatCompletionMessageParam[]): Promise<string> =>
      (await client.chat.completions.create({ model, messages, max_tokens: 16, seed: 1 })).choices[0]!.message.content!;

    /** Sends response.create frames over one connection and gathers the events of each until all have ended. */
    async function overWebSocket(
      frames: (Omit<OpenAI.Responses.ResponsesClientEvent, "type"> & { stream_id?: string })[],
    ): Promise<ServerEvent[]> {
      const socket = new ResponsesWS(client);
      const events: ServerEvent[] = [];
      for (const frame of frames) socket.send({ type: "response.create", ...frame });
      let open = frames.length;
      for await (const { type, ...told } of socket.stream()) {
        if (type === "error") throw (told as { error: Error }).error;
        if (type !== "message") continue;
        const { message } = told as { message: ServerEvent };
        events.push(message);
        if (message.type === "response.completed" || message.type === "response.incomplete") open -= 1;
        if (open === 0) break;
      }
      socket.close();
      return events;
    }
    const textOf = (events: ServerEvent[], streamId?: string): string =>
      events.map((event) => (event.type === "response.output_text.delta" && event.stream_id === streamId ? event.delta : "")).join("");

    test("a response is the chat that it comes to, and its helper property has the text", async () => {
      const response = await create("Name three colours.", { instructions: "Be brief." });
      assert.equal(
        response.output_text,
        await chat([
          { role: "system", content: "Be brief." },
          { role: "user", content: "Name three colours." },
        ]),
      );
      assert.equal(response.usage!.total_tokens, response.usage!.input_tokens + response.usage!.output_tokens);
    });

    test("the streaming helper puts together what is answered whole, and tells snapshots on the way", async () => {
      const whole = await create("Name three colours.");
      const stream = client.responses.stream({ ...params, input: "Name three colours." });
      let snapshot = "";
      stream.on("response.output_text.delta", (event) => (snapshot = event.snapshot));
      const types = new Set<string>();
      for await (const event of stream) types.add(event.type);
      const final = await stream.finalResponse();
      assert.equal(final.output_text, whole.output_text);
      assert.equal(snapshot, whole.output_text);
      assert.equal(final.status, whole.status);
      assert.equal(final.usage!.output_tokens, whole.usage!.output_tokens);
      assert.ok(types.has("response.output_item.done"));
    });

    test("the helper takes the progress of Best-of-N, and gives the winner", async () => {
      const fields = extra({ best_of: 4, best_of_options: { strategy: "logprob" }, seed: 1 });
      const whole = await create("Name three colours.", fields);
      const final = await client.responses.stream({ ...params, input: "Name three colours.", ...fields }).finalResponse();
      assert.equal(final.output_text, whole.output_text);
      assert.equal((final as unknown as { best_of: { sampled: number } }).best_of.sampled, 4);
    });

    test("a conversation goes on by previous_response_id, and its output items can be sent back as they are", async () => {
      const first = await create("Hello!");
      const second = await create("And then?", { previous_response_id: first.id });
      const sent = await client.responses.create({
        ...params,
        input: [
          { role: "user", content: "Hello!" },
          ...(first.output as OpenAI.Responses.ResponseOutputMessage[]),
          { role: "user", content: "And then?" },
        ],
      });
      assert.equal(second.output_text, sent.output_text);
      await assert.rejects(create("And then?", { previous_response_id: "resp_none" }), (error) => {
        return (
          error instanceof OpenAI.BadRequestError && error.code === "previous_response_not_found" && error.param === "previous_response_id"
        );
      });
    });

    test("log-probabilities, parsing of plain text, and a stream that is left", async () => {
      const response = await create("Hello!", { include: ["message.output_text.logprobs"], top_logprobs: 2 });
      const [part] = (response.output[0] as OpenAI.Responses.ResponseOutputMessage).content;
      assert.ok(part?.type === "output_text" && part.logprobs!.length === response.usage!.output_tokens);
      assert.equal((await client.responses.parse({ ...params, input: "Hello!" })).output_text, (await create("Hello!")).output_text);
      const stream = await client.responses.create({ ...params, input: "Hello!", stream: true });
      for await (const event of stream) if (event.type === "response.output_text.delta") break;
    });

    test("ResponsesWS streams what HTTP answers, and continues what was not stored", async () => {
      const first = await create("Hello!");
      const events = await overWebSocket([{ ...params, input: "Hello!" }]);
      assert.equal(textOf(events), first.output_text);
      assert.deepEqual(
        events.map((event) => event.sequence_number),
        events.map((_, index) => index),
      );
      const socket = new ResponsesWS(client);
      const answered = async (fields: Partial<OpenAI.Responses.ResponsesClientEvent>): Promise<OpenAI.Responses.Response> =>
        new Promise((resolve, reject) => {
          socket.send({ type: "response.create", ...params, store: false, ...fields });
          const listener = (event: OpenAI.Responses.ResponsesServerEvent): void => {
            if (event.type !== "response.completed" && event.type !== "response.incomplete") return;
            socket.off("event", listener);
            resolve(event.response);
          };
          socket.on("event", listener);
          socket.on("error", reject);
        });
      const begun = await answered({ input: "Hello!" });
      const next = await answered({ input: "And then?", previous_response_id: begun.id });
      const expected = await create("And then?", { previous_response_id: first.id });
      assert.deepEqual(
        (next.output[0] as OpenAI.Responses.ResponseOutputMessage).content[0],
        (expected.output[0] as OpenAI.Responses.ResponseOutputMessage).content[0],
      );
      socket.close();
      await assert.rejects(create("And then?", { previous_response_id: next.id }), OpenAI.BadRequestError);
    });

    test("ResponsesWS carries several responses at once, each under its stream_id", async () => {
      const questions = ["One?", "Two?", "Three?"];
      const events = await overWebSocket(questions.map((input) => ({ ...params, input, stream_id: input })));
      for (const question of questions) assert.equal(textOf(events, question), (await create(question)).output_text);
    });

    test("ResponsesWS hears of errors as errors, with the connection open, and of a cancelled response", async () => {
      const socket = new ResponsesWS(client);
      const nextError = (): Promise<OpenAI.Responses.ResponseErrorEvent> =>
        new Promise((resolve) => socket.once("error", ({ error }) => resolve(error as OpenAI.Responses.ResponseErrorEvent)));
      let error = nextError();
      socket.send({ type: "response.create", ...params, input: "Hello!", temperature: 3 });
      assert.deepEqual([(await error).code, (await error).param], ["invalid_request", "temperature"]);
      error = nextError();
      socket.send({ type: "response.create", ...params, input: "Hello!", previous_response_id: "resp_none" });
      assert.equal((await error).code, "previous_response_not_found");
      error = nextError();
      socket.send({ type: "response.create", model, input: "Hello!", ...extra({ ignore_eos: true }) });
      await new Promise<void>((resolve) => socket.once("response.output_text.delta", () => resolve()));
      socket.sendRaw(JSON.stringify({ type: "response.cancel" }));
      assert.equal((await error).code, "cancelled");
      const done = new Promise<void>((resolve) => {
        socket.once("response.completed", () => resolve());
        socket.once("response.incomplete", () => resolve());
      });
      socket.send({ type: "response.create", ...params, input: "Hello!" });
      await done;
      socket.close();
    });

    test("ResponsesWS with a wrong key is refused at the upgrade", async () => {
      const socket = new ResponsesWS(new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "sk-wrong", maxRetries: 0 }));
      const failure = await new Promise<Error>((resolve) => socket.on("error", resolve));
      assert.match(failure.message, /401/);
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
