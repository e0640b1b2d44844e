/** @file A driver of POST /v1/chat/completions that reads the events of its stream as they come, and notes when. */

import { Agent, request, type IncomingMessage } from "node:http";
import type { Observation } from "./observation.ts";
import { emptyObservation, observePiece, type AnswerPiece } from "./stream-observer.ts";

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
/** Of an error's body that is told. */
const longestReason = 300;

/** See `Driver`. The request that is aborted resolves as failed. */
export async function streamChat(url: string, body: unknown, dueMs: number, signal: AbortSignal): Promise<Observation> {
  const seen = emptyObservation();
  try {
    const answer = await send(url, body, signal);
    seen.status = answer.statusCode ?? 0;
    if (seen.status === 200) await readEvents(answer, dueMs, seen);
    else await readRefusal(answer, seen);
  } catch (error) {
    seen.failure = (error as Error).message;
  }
  seen.endToEndMs = performance.now() - dueMs;
  return seen;
}

async function send(url: string, body: unknown, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const outgoing = request(`${url}/v1/chat/completions`, { method: "POST", agent, headers, signal }, resolve);
    outgoing.on("error", reject);
    outgoing.end(JSON.stringify(body));
  });
}

async function readEvents(answer: IncomingMessage, dueMs: number, seen: Observation): Promise<void> {
  let rest = "";
  let isDone = false;
  for await (const text of answer.setEncoding("utf8") as AsyncIterable<string>) {
    const atMs = performance.now() - dueMs;
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "data: [DONE]") isDone = true;
      else if (line.startsWith("data: ")) observePiece(JSON.parse(line.slice("data: ".length)) as AnswerPiece, atMs, seen);
    }
  }
  if (!isDone) seen.failure ??= "the stream ended before [DONE]";
}

async function readRefusal(answer: IncomingMessage, seen: Observation): Promise<void> {
  let body = "";
  for await (const text of answer.setEncoding("utf8") as AsyncIterable<string>) body += text;
  const retryAfter = answer.headers["retry-after"];
  if (retryAfter !== undefined) seen.retryAfterSeconds = Number(retryAfter);
  if (seen.status !== 429) seen.failure = `status ${seen.status}: ${body.slice(0, longestReason)}`;
}
