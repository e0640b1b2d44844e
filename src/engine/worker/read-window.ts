/** @file Bounds what is generated and not yet read: the worker counts what it sent, the reader tells what it took. */

import type { GenerateEvent } from "../contract/request.ts";

/** Bytes of one request that may wait to be read; a request with more takes no further step. */
export const windowBytes = 1024 * 1024;

/**
 * The reader tells what it took after this many bytes. Far below the window, so that a reader that keeps up never
 * pauses its request.
 */
export const acknowledgedBytes = windowBytes / 4;

const eventBytes = 64;
const tokenBytes = 200;

/** About what an event takes in memory. */
export function bytesOf(event: GenerateEvent): number {
  if (event.type !== "delta") return eventBytes;
  const logprobs = event.logprobs?.reduce((count, { top }) => count + 1 + top.length, 0) ?? 0;
  return eventBytes + 2 * event.text.length + tokenBytes * logprobs;
}

/** The window of one request, on the worker's side. */
export class ReadWindow {
  #unreadBytes = 0;

  sent(event: GenerateEvent): void {
    this.#unreadBytes += bytesOf(event);
  }

  taken(bytes: number): void {
    this.#unreadBytes -= bytes;
  }

  get isFull(): boolean {
    return this.#unreadBytes >= windowBytes;
  }
}
