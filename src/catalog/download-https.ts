/**
 * @file Fetches one file over HTTPS into a PartialFile: resumes by Range and If-Range, retries a cut connection, gives
 * up on a stalled one.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { PartialFile, type ExpectedFile } from "./partial-file.ts";

export interface HttpsDownloadOptions {
  signal?: AbortSignal | undefined;
  /** Called with the bytes of the file that are on disk, after each piece. */
  onBytes?: ((received: number) => void) | undefined;
  /** Longest silence, before the answer's head or between two pieces; default 30,000. */
  idleTimeoutMs?: number | undefined;
  /** Attempts after which a connection that keeps breaking counts as failed; default 4. */
  attempts?: number | undefined;
  /** Wait before the second attempt, doubled before each later one; default 500. */
  retryDelayMs?: number | undefined;
}

/** A failure that another attempt may not meet. */
class TransientFailure extends Error {
  override readonly name = "TransientFailure";
}

/**
 * Downloads `url` to `expected.path`.
 * @throws BonsaiError `download_failed` (unreachable, refused, cut, too long) or `checksum_mismatch`; whatever `signal`
 * was aborted with.
 */
export async function downloadHttps(url: string, expected: ExpectedFile, options: HttpsDownloadOptions = {}): Promise<void> {
  requireTransportSecurity(url);
  const file = await PartialFile.open(expected);
  const resumed = file.received > 0;
  try {
    await receiveAll(url, file, options);
    await file.complete();
    return;
  } catch (error) {
    const mixed = resumed && error instanceof BonsaiError && error.code === "checksum_mismatch";
    if (!mixed) throw error;
  } finally {
    await file.close();
  }
  // The old part and this source's bytes are two different files (an earlier source, or a server without entity tags).
  const fresh = await PartialFile.open(expected);
  try {
    await receiveAll(url, fresh, options);
    await fresh.complete();
  } finally {
    await fresh.close();
  }
}

/** Plain HTTP only to this machine itself (a local mirror): elsewhere anyone on the way could read and stall it. */
function requireTransportSecurity(url: string): void {
  const { protocol, hostname } = new URL(url);
  const isLoopback = hostname === "127.0.0.1" || hostname === "[::1]" || hostname === "localhost";
  if (protocol !== "https:" && !(protocol === "http:" && isLoopback)) {
    throw new BonsaiError("download_failed", `Its address ${url} is not HTTPS.`);
  }
}

async function receiveAll(url: string, file: PartialFile, options: HttpsDownloadOptions): Promise<void> {
  const { attempts = 4, retryDelayMs = 500, signal } = options;
  let farthest = file.received;
  for (let attempt = 1; file.received < file.expected.bytes; attempt++) {
    try {
      await receiveOnce(url, file, options);
      if (file.received < file.expected.bytes)
        throw new TransientFailure(`It ended after ${file.received} of ${file.expected.bytes} bytes.`);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TransientFailure)) throw error;
      if (attempt < attempts && file.received > farthest) attempt = 1; // A line that breaks again and again still gets there.
      farthest = Math.max(farthest, file.received);
      if (attempt >= attempts) throw new BonsaiError("download_failed", error.message, { cause: error.cause });
      await sleep(retryDelayMs * 2 ** (attempt - 1), undefined, { signal });
    }
  }
}

async function receiveOnce(url: string, file: PartialFile, options: HttpsDownloadOptions): Promise<void> {
  const { idleTimeoutMs = 30_000, signal, onBytes } = options;
  const idle = new AbortController();
  const onAbort = (): void => idle.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => idle.abort(new TransientFailure(`It sent nothing for ${idleTimeoutMs / 1000} seconds.`)), idleTimeoutMs);
  try {
    const response = await fetch(url, { headers: requestHeaders(url, file), signal: idle.signal });
    requireTransportSecurity(response.url);
    await prepareFor(response, url, file);
    onBytes?.(file.received);
    if (response.body === null) throw new TransientFailure("It answered without a body.");
    for await (const chunk of response.body) {
      timer.refresh();
      await file.append(chunk as Uint8Array);
      onBytes?.(file.received);
    }
  } catch (error) {
    throw idle.signal.aborted ? (idle.signal.reason as Error) : asTransient(error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    idle.abort(); // Ends the connection of a body that was not read to its end.
  }
}

function requestHeaders(url: string, file: PartialFile): Record<string, string> {
  // The sizes and hashes of the catalog are of the file itself, not of a compressed transfer.
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (file.received > 0) {
    headers["range"] = `bytes=${file.received}-`;
    if (file.validator?.url === url) headers["if-range"] = file.validator.etag;
  }
  return headers;
}

/** Checks the answer's head and sets `file` to the place where its body begins. */
async function prepareFor(response: Response, url: string, file: PartialFile): Promise<void> {
  const { bytes } = file.expected;
  const { status } = response;
  if (status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
    const total = range?.[2];
    if (total !== undefined && total !== "*" && Number(total) !== bytes) throw wrongSize(total, bytes);
    if (Number(range?.[1] ?? -1) !== file.received) {
      await file.restart();
      throw new TransientFailure("It answered another range than the one that was asked for.");
    }
    return;
  }
  if (status === 416) {
    await file.restart();
    throw new TransientFailure("It refused to continue the partial file.");
  }
  if (status !== 200) {
    const message = `It answered ${status}${response.statusText === "" ? "" : ` ${response.statusText}`}.`;
    if (status === 408 || status === 429 || status >= 500) throw new TransientFailure(message);
    throw new BonsaiError("download_failed", message);
  }
  // A whole body: nothing was asked to be resumed, the server ignores Range, or its file has changed.
  const length = response.headers.get("content-length");
  if (length !== null && Number(length) !== bytes) throw wrongSize(length, bytes);
  await file.restart();
  const etag = response.headers.get("etag");
  // A weak tag (W/"…") does not promise the same bytes, so it may not be used for ranges.
  if (etag?.startsWith('"') === true) await file.remember({ url, etag });
}

function wrongSize(announced: string, bytes: number): BonsaiError {
  return new BonsaiError("download_failed", `It announces ${announced} bytes, but the catalog names ${bytes}.`);
}

/** fetch reports every trouble of the network as a TypeError whose cause says what it was. */
function asTransient(error: unknown): unknown {
  if (!(error instanceof TypeError)) return error;
  const cause = error.cause;
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
  const detail = cause instanceof Error ? cause.message : error.message;
  if (code === "ENOTFOUND") return new BonsaiError("download_failed", `Its host is not known here (${detail}).`, { cause: error });
  if (code === "ECONNREFUSED") return new BonsaiError("download_failed", `It refused the connection (${detail}).`, { cause: error });
  return new TransientFailure(`The connection broke (${detail}).`, { cause: error });
}
