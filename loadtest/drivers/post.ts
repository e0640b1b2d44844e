/** @file A JSON request whose time is not measured. */

/** @returns the answer's JSON. @throws Error for any status but 200, with the answer's text */
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
