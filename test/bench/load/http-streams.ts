/** @file A client of the generation routes that reads its stream as it comes and notes when. */

import { Agent, request } from "node:http";

export interface HttpStream {
  /** When each event that carries an answer arrived, performance.now(). */
  arrivalsMs: number[];
  /** False when the stream ended before [DONE], or held an error. */
  complete: boolean;
  status: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

/** Sends one request and reads its whole answer. Aborting the signal closes the connection and resolves. */
export async function streamCompletion(url: string, body: unknown, signal?: AbortSignal, path = "/v1/completions"): Promise<HttpStream> {
  return new Promise((resolve, reject) => {
    const stream: HttpStream = { arrivalsMs: [], complete: false, status: 0 };
    const fail = (error: Error): void => (signal?.aborted === true ? resolve(stream) : reject(error));
    const outgoing = request(
      `${url}${path}`,
      { method: "POST", agent, headers: { "content-type": "application/json" }, ...(signal && { signal }) },
      (incoming) => {
        stream.status = incoming.statusCode ?? 0;
        let rest = "";
        incoming.setEncoding("utf8");
        incoming.on("data", (text: string) => {
          const nowMs = performance.now();
          const lines = (rest + text).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) {
            if (line === "data: [DONE]") stream.complete = true;
            else if (line.startsWith("data: ")) stream.arrivalsMs.push(nowMs);
          }
        });
        incoming.on("end", () => resolve(stream));
        incoming.on("error", fail);
      },
    );
    outgoing.on("error", fail);
    outgoing.end(JSON.stringify(body));
  });
}

/** Seconds from sending all requests to the end of the last; throws when one fails. */
export async function wholeHttpRun(url: string, bodies: readonly unknown[]): Promise<number> {
  const startMs = performance.now();
  const streams = await Promise.all(bodies.map(async (body) => streamCompletion(url, body)));
  const failed = streams.find(({ complete, status }) => !complete || status !== 200);
  if (failed !== undefined) throw new Error(`A stream of ${url} ended early (status ${failed.status}).`);
  return (performance.now() - startMs) / 1000;
}
