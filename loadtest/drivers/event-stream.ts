/** @file An HTTP request whose answer is a stream of server-sent events, each with the time at which it came. */

import { Agent, request, type IncomingMessage } from "node:http";
import { createParser } from "eventsource-parser";

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

export interface TimedEvent {
  data: string;
  /** When the bytes came that complete the event, performance.now(). */
  atMs: number;
}

/** The data of the event that ends every stream. */
export const endOfStream = "[DONE]";

/**
 * Sends JSON, and resolves to the head of the answer. Rejects when the connection fails or the signal is aborted, as
 * reading the answer does.
 */
export async function postForEvents(url: string, body: unknown, signal?: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const outgoing = request(url, { method: "POST", agent, headers, ...(signal && { signal }) }, resolve);
    outgoing.on("error", reject);
    outgoing.end(JSON.stringify(body));
  });
}

/** The events of an answer. */
export async function* readEvents(answer: IncomingMessage): AsyncGenerator<TimedEvent> {
  let completed: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => completed.push(data) });
  for await (const text of answer.setEncoding("utf8") as AsyncIterable<string>) {
    const atMs = performance.now();
    parser.feed(text);
    for (const data of completed) yield { data, atMs };
    completed = [];
  }
}
