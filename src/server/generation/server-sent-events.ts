/** @file A generation as a stream of server-sent events that is produced only as fast as the client reads. */

import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { FastifyReply } from "fastify";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { inPieces, pieceLength } from "../../protocol/wire/json-pieces.ts";
import { chunkEvents, keepAliveComment, type EventFormat } from "../../protocol/wire/sse.ts";

/** Time without an event after which a comment keeps the connection alive. */
export const keepAliveIntervalMs = 15_000;

/** Bytes that wait for the client before production pauses (besides the kernel's own buffers). */
const highWaterMarkBytes = 16 * 1024;

export interface EventStreamOptions {
  /** Aborted when the client stalls; its signal ends the events. */
  controller: AbortController;
  keepAliveMs: number;
  /** A client that takes nothing for this long is dropped. */
  stallTimeoutMs: number;
  /** Logs a failure, and gives the error that the client may read. */
  reportFailure: (failure: unknown) => BonsaiError;
  /** The format of chats and completions when absent. */
  format?: EventFormat;
}

const silence = Symbol("silence");

/** The promise's value, or `silence` when it takes longer than that. */
async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | typeof silence> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<typeof silence>((resolve) => {
    timer = setTimeout(() => resolve(silence), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function* partsOf(events: readonly object[], format: EventFormat): Generator<string, void, undefined> {
  for (const event of events) yield* format.event(event);
}

/**
 * The text of the event stream. It reads the next event only when the last text was taken, so a client that reads
 * slowly slows production. After a failure the last event is the error.
 */
export async function* eventStreamText<E>(
  events: AsyncIterator<E, void>,
  first: Promise<IteratorResult<E, void>>,
  encode: (event: E) => object[],
  options: EventStreamOptions,
): AsyncGenerator<string, void, undefined> {
  const { controller, format = chunkEvents } = options;
  const stall = (): void => controller.abort(new BonsaiError("cancelled", "The client stopped reading."));
  let stallTimer: NodeJS.Timeout | undefined;
  let next = first;
  try {
    for (;;) {
      const result = await within(next, options.keepAliveMs);
      let parts: Iterable<string>;
      if (result === silence) {
        parts = [keepAliveComment];
      } else if (result.done === true) {
        break;
      } else {
        parts = partsOf(encode(result.value), format);
        next = events.next();
        // Its rejection is handled where it is awaited, which a reader that leaves prevents.
        next.catch(() => undefined);
      }
      for (const text of inPieces(parts)) {
        stallTimer = setTimeout(stall, options.stallTimeoutMs);
        yield text;
        clearTimeout(stallTimer);
        if (text.length >= pieceLength) await setImmediate();
      }
    }
    if (format.done !== "") yield format.done;
  } catch (error) {
    yield* inPieces(format.failure(options.reportFailure(controller.signal.aborted ? controller.signal.reason : error)));
  } finally {
    clearTimeout(stallTimer);
    events.return?.().catch(() => undefined);
  }
}

/**
 * Answers with an event stream. Headers go out with the first event, or after one keep-alive interval without any:
 * a failure before that is an ordinary error answer.
 * @throws what the first event rejects with.
 */
export async function sendEventStream<E>(
  reply: FastifyReply,
  events: AsyncIterable<E>,
  encode: (event: E) => object[],
  options: EventStreamOptions,
): Promise<FastifyReply> {
  const iterator = events[Symbol.asyncIterator]() as AsyncIterator<E, void>;
  const first = iterator.next();
  await within(first, options.keepAliveMs);
  const stream = Readable.from(eventStreamText(iterator, first, encode, options), { objectMode: false, highWaterMark: highWaterMarkBytes });
  options.controller.signal.addEventListener("abort", () => {
    // A client that stopped reading would keep the stream open for ever.
    if ((options.controller.signal.reason as BonsaiError).code === "cancelled") reply.raw.destroy();
  });
  return reply
    .headers({ "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no" })
    .send(stream);
}
