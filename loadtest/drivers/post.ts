/** @file A JSON request whose time is not measured. */

import { setTimeout as sleep } from "node:timers/promises";

/** How often a server that is busy is asked again. */
const mostRetries = 60;

/**
 * Asks again after `Retry-After` while the server is busy (429).
 * @returns the answer's JSON. @throws Error for any other status but 200, with the answer's text
 */
export async function postJson(url: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  for (let retries = 0; ; retries++) {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    if (response.status === 200) return response.json();
    const text = await response.text();
    if (response.status !== 429 || retries === mostRetries) throw new Error(`The server answered ${response.status}: ${text}`);
    await sleep(1000 * Number(response.headers.get("retry-after") ?? 1), undefined, { signal });
  }
}
