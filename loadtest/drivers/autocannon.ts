/** @file A closed loop of whole answers over HTTP by autocannon: many connections, each of which asks again as soon as it is answered. */

import autocannon from "autocannon";

/** What autocannon saw. */
export interface CannonResult {
  /** Milliseconds of every answer with status 200. */
  answeredMs: number[];
  refused: number;
  /** Other statuses, broken connections and timeouts. */
  failed: number;
  /** From the first request to the last answer. */
  seconds: number;
}

export interface CannonOptions {
  url: string;
  connections: number;
  requests: number;
  /** By a request's number, from 0. */
  body: (index: number) => unknown;
  signal: AbortSignal;
}

/** Longest wait for one answer. */
const timeoutSeconds = 120;

/** Resolves when all requests have been answered. @throws the signal's reason when it is aborted */
export async function cannon({ url, connections, requests, body, signal }: CannonOptions): Promise<CannonResult> {
  const seen: CannonResult = { answeredMs: [], refused: 0, failed: 0, seconds: 0 };
  let next = 0;
  const startMs = performance.now();
  let lastMs = startMs;
  await new Promise<void>((resolve, reject) => {
    const instance = autocannon(
      {
        url,
        connections: Math.min(connections, requests),
        amount: requests,
        timeout: timeoutSeconds,
        requests: [
          {
            method: "POST",
            path: "/v1/chat/completions",
            headers: { "content-type": "application/json" },
            setupRequest: (request) => ({ ...request, body: JSON.stringify(body(next++)) }),
          },
        ],
      },
      (error) => (error == null ? resolve() : reject(error)),
    );
    instance.on("response", (_client, status, _bytes, responseMs) => {
      lastMs = performance.now();
      if (status === 200) seen.answeredMs.push(responseMs);
      else if (status === 429) seen.refused++;
      else seen.failed++;
    });
    instance.on("reqError", () => seen.failed++);
    signal.addEventListener("abort", () => instance.stop?.(), { once: true });
  });
  signal.throwIfAborted();
  // It looks only once a second whether all have been answered.
  return { ...seen, seconds: (lastMs - startMs) / 1000 };
}
