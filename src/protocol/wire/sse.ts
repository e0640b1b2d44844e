/** @file Server-sent events as OpenAI writes them (WHATWG HTML, section 9.2: one `data:` line, then an empty one). */

import type { BonsaiError } from "../../errors/bonsai-error.ts";
import { toErrorBody } from "./errors.ts";

/** An event. JSON has no line breaks outside of strings, and escapes those inside, so one line holds it. */
const encodeData = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;

/** What ends a stream that went well. */
const doneEvent = "data: [DONE]\n\n";

/** How a stream's events, its good end and its failure are written. */
export interface EventFormat {
  event: (value: object) => string;
  done: string;
  failure: (error: BonsaiError) => string;
}

/** The events of chats and completions: chunks without a name, then `[DONE]`, or an error in its place. */
export const chunkEvents: EventFormat = { event: encodeData, done: doneEvent, failure: (error) => encodeData(toErrorBody(error)) };

/** The events of responses: each has its type as its name, and the last one says how the response ended. */
export const typedEvents: Pick<EventFormat, "event" | "done"> = {
  event: (value) => `event: ${String((value as { type?: unknown }).type)}\n${encodeData(value)}`,
  done: "",
};

/** A comment, which clients skip: it shows proxies and clients that the connection lives. */
export const keepAliveComment = ": keep-alive\n\n";
