/**
 * @file A closed loop of whole answers over HTTP by autocannon: each of many connections sends its next request when it
 * is answered.
 */

import autocannon from "autocannon";

/** What autocannon measured. */
export interface CannonResult {
  /** Milliseconds of every answer with status 200. */
  answeredMs: number[];
  refused: number;
  /** Other statuses, broken connections and timeouts. */
  failed: number;
  /** Seconds from the first request to the last answer. */
  seconds: number;
}

export interface CannonOptions {
  url: string;
  connections: number;
  requests: number;
  /** The body of a request by its number, from 0. */
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
  // Autocannon checks only once a second whether all requests are answered, so its own duration is too long.
  return { ...seen, seconds: (lastMs - startMs) / 1000 };
}
