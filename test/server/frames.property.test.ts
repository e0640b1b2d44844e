/**
 * @file Whatever frames a client sends over WebSocket, in whatever order, each is answered by an error or an end, or
 * the connection is closed with a code that says why; and streams of other connections go on to the same answers.
 */

import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import type { Socket } from "node:net";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { chatCompletionRequest } from "../../src/protocol/wire/chat/request.ts";
import { responseRequest } from "../../src/protocol/wire/responses/request.ts";
import { hello, listen, startFixture } from "./fixture.ts";
import { connect, type Frame, type SocketClient } from "./socket-client.ts";

const limits = { maxN: 64, maxStopSequences: 16, maxInputs: 256 };
const bodyLimitBytes = 4096;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const shared = startFixture(
  { after },
  { bodyLimitBytes },
  { contextLength: 400, maxSequences: 1024, maxQueuedSequences: 4096, beforeToken: turn },
);
const address = shared.then(listen);

/** What a client sends. */
type Sent =
  /** Text, valid UTF-8 or not. */
  | { kind: "text"; data: Buffer }
  | { kind: "binary"; data: Buffer }
  /** A frame of the dialect, which is answered unless it cancels. */
  | { kind: "frame"; frame: object; isAnswered: boolean };

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const bytes = fc.uint8Array({ maxLength: 60 }).map(asBuffer);
const jsonText = fc.jsonValue({ maxDepth: 3 }).map((value) => Buffer.from(JSON.stringify(value)));

interface Dialect {
  path: string;
  create: string;
  cancel: string;
  /** Fields of a request that is valid. */
  valid: object;
  fields: readonly string[];
  ends: ReadonlySet<string>;
}

const dialects: Dialect[] = [
  {
    path: "/v1/chat/completions",
    create: "chat.completion.create",
    cancel: "chat.completion.cancel",
    valid: hello,
    fields: Object.keys(chatCompletionRequest(limits).properties),
    ends: new Set(["chat.completion.done", "error"]),
  },
  {
    path: "/v1/responses",
    create: "response.create",
    cancel: "response.cancel",
    valid: { model: "scripted", input: "Hello" },
    fields: Object.keys(responseRequest(limits).properties),
    ends: new Set(["response.completed", "response.incomplete", "response.failed", "error"]),
  },
];

function anySent({ create, cancel, valid, fields }: Dialect): fc.Arbitrary<Sent> {
  const streamId = fc.constantFrom("a", "b", "c");
  const good = fc.record({
    type: fc.constant(create),
    stream_id: streamId,
    seed: fc.nat(9),
    best_of: fc.constantFrom(undefined, 2),
  });
  const wrong = fc
    .tuple(
      fc.record(
        { type: fc.oneof(fc.constant(create), fc.string(), fc.jsonValue()), stream_id: fc.oneof(streamId, fc.jsonValue()) },
        { requiredKeys: [] },
      ),
      fc.dictionary(fc.oneof(fc.constantFrom(...fields), fc.string()), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }),
      fc.boolean(),
    )
    .map(([envelope, more, isNearlyValid]) => ({ ...(isNearlyValid ? valid : {}), ...more, ...envelope }))
    .filter(({ type }) => type !== cancel);
  return fc.oneof(
    { weight: 6, arbitrary: good.map((frame): Sent => ({ kind: "frame", frame: { ...valid, ...frame }, isAnswered: true })) },
    { weight: 3, arbitrary: streamId.map((id): Sent => ({ kind: "frame", frame: { type: cancel, stream_id: id }, isAnswered: false })) },
    { weight: 8, arbitrary: wrong.map((frame): Sent => ({ kind: "frame", frame, isAnswered: true })) },
    { weight: 3, arbitrary: jsonText.map((data): Sent => ({ kind: "text", data })) },
    { weight: 2, arbitrary: bytes.map((data): Sent => ({ kind: "text", data })) },
    { weight: 1, arbitrary: bytes.map((data): Sent => ({ kind: "binary", data })) },
    { weight: 1, arbitrary: fc.constant<Sent>({ kind: "text", data: Buffer.alloc(bodyLimitBytes + 1, "x") }) },
  );
}

/** The code with which a frame ends the connection; undefined where it is answered. */
function closeCodeOf(sent: Sent): number | undefined {
  if (sent.kind === "binary") return 1003;
  if (sent.kind === "frame") return Buffer.byteLength(JSON.stringify(sent.frame)) > bodyLimitBytes ? 1009 : undefined;
  if (sent.data.length > bodyLimitBytes) return 1009;
  return isUtf8(sent.data) ? undefined : 1007;
}

/** Fails where neither came, long before the test's own limit. */
async function within<T>(outcome: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), 60_000);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends of answers and refusals, until there are so many or the connection is closed. */
async function endsOf(client: SocketClient, count: number, ends: ReadonlySet<string>): Promise<Frame[]> {
  const found: Frame[] = [];
  while (found.length < count) {
    const frame = await client.next().catch(() => undefined);
    if (frame === undefined) break;
    if (ends.has(frame.type)) found.push(frame);
  }
  return found;
}

for (const dialect of dialects) {
  describe(`the WebSocket on ${dialect.path}`, () => {
    const witnessed = { type: "chat.completion.create", stream_id: "witness", ...hello, seed: 11, max_tokens: 200, ignore_eos: true };
    /** Another connection's answer. */
    const witness = async (client: SocketClient): Promise<string> => {
      client.send(witnessed);
      const frames = await client.until(({ type }) => type === "chat.completion.done" || type === "error");
      return JSON.stringify(frames.map(({ choices, usage, type }) => [type, choices, usage]));
    };

    test("answers every frame or closes with the code of what was wrong, and disturbs nobody", async () => {
      const base = await address;
      const other = await connect(base);
      const undisturbed = await witness(other);
      await fc.assert(
        fc.asyncProperty(fc.array(anySent(dialect), { minLength: 1, maxLength: 12 }), async (sents) => {
          const going = witness(other);
          const client = await connect(base, { path: dialect.path });
          for (const sent of sents) {
            if (sent.kind === "frame") client.send(sent.frame);
            else client.socket.send(sent.data, { binary: sent.kind === "binary" });
          }
          const closing = sents.findIndex((sent) => closeCodeOf(sent) !== undefined);
          const answered = sents.filter((sent) => sent.kind !== "frame" || sent.isAnswered).length;
          if (closing < 0) {
            const ends = await within(endsOf(client, answered, dialect.ends), "an answer to each frame");
            assert.equal(ends.length, answered, "every frame is answered");
            for (const { type, error } of ends)
              if (type === "error") assert.match((error as { message: string; type: string }).message, /\S/);
            client.socket.close();
            await client.ended;
          } else {
            const { code } = await within(client.ended, "the close");
            assert.equal(code, closeCodeOf(sents[closing]!));
          }
          assert.equal(await within(going, "the other connection's answer"), undisturbed);
        }),
        { numRuns: 150 },
      );
      other.socket.close();
      await other.ended;
      const { engine, fastify } = await shared;
      while (engine.stats().runningSequences > 0) await turn();
      assert.equal((await fastify.inject("/health/live")).statusCode, 200);
    });

    test("outlives bytes that are no frames at all, and a client that leaves in the middle of them", async () => {
      const base = await address;
      const other = await connect(base);
      const undisturbed = await witness(other);
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.boolean(), async (garbage, asks) => {
          const going = witness(other);
          const client = await connect(base, { path: dialect.path });
          client.socket.on("error", () => undefined);
          if (asks) client.send({ type: dialect.create, stream_id: "a", ...dialect.valid });
          // Under the WebSocket, where nothing frames it.
          (Reflect.get(client.socket, "_socket") as Socket).write(garbage);
          await turn();
          client.socket.terminate();
          await client.ended;
          assert.equal(await within(going, "the other connection's answer"), undisturbed);
        }),
        { numRuns: 60 },
      );
      other.socket.close();
      await other.ended;
      const { engine } = await shared;
      while (engine.stats().runningSequences > 0) await turn();
    });
  });
}
