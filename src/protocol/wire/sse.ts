/** @file Server-sent events as OpenAI writes them (WHATWG HTML, section 9.2: one `data:` line, then an empty one). */

import type { BonsaiError } from "../../errors/bonsai-error.ts";
import { toErrorBody } from "./errors.ts";
import { jsonParts } from "./json-pieces.ts";

/** An event in parts. JSON has no line breaks outside of strings, and escapes those inside, so one line holds it. */
function* dataParts(value: object): Generator<string, void, undefined> {
  yield "data: ";
  yield* jsonParts(value);
  yield "\n\n";
}

/** What ends a stream that went well. */
const doneEvent = "data: [DONE]\n\n";

/** How a stream's events, its good end and its failure are written. */
export interface EventFormat {
  /** The text of an event, in parts. */
  event: (value: object) => Iterable<string>;
  done: string;
  failure: (error: BonsaiError) => Iterable<string>;
}

/** The events of chats and completions: chunks without a name, then `[DONE]`, or an error in its place. */
export const chunkEvents: EventFormat = { event: dataParts, done: doneEvent, failure: (error) => dataParts(toErrorBody(error)) };

/** The events of responses: each has its type as its name, and the last one says how the response ended. */
export const typedEvents: Pick<EventFormat, "event" | "done"> = {
  *event(value) {
    yield `event: ${String((value as { type?: unknown }).type)}\n`;
    yield* dataParts(value);
  },
  done: "",
};

/** A comment, which clients skip: it shows proxies and clients that the connection lives. */
export const keepAliveComment = ": keep-alive\n\n";
