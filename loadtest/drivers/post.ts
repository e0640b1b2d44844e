/** @file A request that nobody times. */

/** @returns the answer's JSON. @throws Error for any answer but 200, with what the server said. */
export async function postJson(url: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  if (response.status !== 200) throw new Error(`The server answered ${response.status}: ${await response.text()}`);
  return response.json();
}
