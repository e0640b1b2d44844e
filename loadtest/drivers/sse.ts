/** @file A driver of POST /v1/chat/completions that reads the events of its stream as they come, and notes when. */

import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { endOfStream, postForEvents, readEvents } from "./event-stream.ts";
import type { Observation } from "./observation.ts";
import { emptyObservation, observePiece, type AnswerPiece } from "./stream-observer.ts";

/** Characters of an error's body that are kept as the reason of a failure. */
const longestReason = 300;

/** See `Driver`. An aborted request resolves, as failed. */
export async function streamChat(url: string, body: unknown, dueMs: number, signal: AbortSignal): Promise<Observation> {
  const seen = emptyObservation();
  try {
    const answer = await postForEvents(`${url}/v1/chat/completions`, body, signal);
    seen.status = answer.statusCode ?? 0;
    if (seen.status === 200) await observeEvents(answer, dueMs, seen);
    else await observeRefusal(answer, seen);
  } catch (error) {
    seen.failure = (error as Error).message;
  }
  seen.endToEndMs = performance.now() - dueMs;
  return seen;
}

async function observeEvents(answer: IncomingMessage, dueMs: number, seen: Observation): Promise<void> {
  let isDone = false;
  for await (const { data, atMs } of readEvents(answer)) {
    if (data === endOfStream) isDone = true;
    else observePiece(JSON.parse(data) as AnswerPiece, atMs - dueMs, seen);
  }
  if (!isDone) seen.failure ??= `the stream ended before ${endOfStream}`;
}

async function observeRefusal(answer: IncomingMessage, seen: Observation): Promise<void> {
  const body = await text(answer);
  const retryAfter = answer.headers["retry-after"];
  if (retryAfter !== undefined) seen.retryAfterSeconds = Number(retryAfter);
  if (seen.status !== 429) seen.failure = `status ${seen.status}: ${body.slice(0, longestReason)}`;
}
