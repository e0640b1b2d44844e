/** @file A client of the generation routes that reads its stream as it comes and notes when. */

import { endOfStream, postForEvents, readEvents } from "../../../loadtest/drivers/event-stream.ts";

export interface HttpStream {
  /** When each event that carries an answer arrived, performance.now(). */
  arrivalsMs: number[];
  /** False when the stream ended before [DONE]. */
  complete: boolean;
  status: number;
}

/** Sends one request and reads its whole answer. Aborting the signal closes the connection and resolves. */
export async function streamCompletion(url: string, body: unknown, signal?: AbortSignal, path = "/v1/completions"): Promise<HttpStream> {
  const stream: HttpStream = { arrivalsMs: [], complete: false, status: 0 };
  try {
    const answer = await postForEvents(`${url}${path}`, body, signal);
    stream.status = answer.statusCode ?? 0;
    for await (const { data, atMs } of readEvents(answer)) {
      if (data === endOfStream) stream.complete = true;
      else stream.arrivalsMs.push(atMs);
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
  return stream;
}

/** Seconds from sending all requests to the end of the last; throws when one fails. */
export async function wholeHttpRun(url: string, bodies: readonly unknown[]): Promise<number> {
  const startMs = performance.now();
  const streams = await Promise.all(bodies.map(async (body) => streamCompletion(url, body)));
  const failed = streams.find(({ complete, status }) => !complete || status !== 200);
  if (failed !== undefined) throw new Error(`A stream of ${url} ended early (status ${failed.status}).`);
  return (performance.now() - startMs) / 1000;
}
