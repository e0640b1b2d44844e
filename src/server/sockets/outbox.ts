/**
 * @file What waits to be sent on one WebSocket: bounded, so that a reader that is slow pauses those who write to it,
 * and no others.
 */

import { setImmediate } from "node:timers/promises";
import type { WebSocket } from "ws";
import { inPieces, jsonParts, pieceLength } from "../../protocol/wire/json-pieces.ts";

/** Bytes that wait for the client before its streams pause (besides the kernel's own buffers). */
const highWaterBytes = 64 * 1024;

/** Beyond this, short notices too have piled up: the client sends without reading. */
const floodBytes = 2 * highWaterBytes;

export class Outbox {
  readonly #socket: WebSocket;
  readonly #stallTimeoutMs: number;
  readonly #onStall: () => void;
  readonly #waiting: (() => void)[] = [];
  #stall: NodeJS.Timeout | undefined;
  /** Frames that the kernel has not taken. */
  #unsent = 0;

  /** @param onStall Called when the client has taken nothing for the timeout while something waits. */
  constructor(socket: WebSocket, stallTimeoutMs: number, onStall: () => void) {
    this.#socket = socket;
    this.#stallTimeoutMs = stallTimeoutMs;
    this.#onStall = onStall;
  }

  /** Whether something waits for the client to read. */
  get isBlocked(): boolean {
    return this.#unsent > 0;
  }

  get isFlooded(): boolean {
    return this.#socket.bufferedAmount > floodBytes;
  }

  /**
   * Sends a frame once there is room.
   * @throws the signal's reason when it aborts before
   */
  async send(frame: object, signal: AbortSignal): Promise<void> {
    while (this.#socket.bufferedAmount > highWaterBytes) await this.#room(signal);
    signal.throwIfAborted();
    let text = "";
    for (const piece of inPieces(jsonParts(frame))) {
      text += piece;
      if (piece.length >= pieceLength) await setImmediate();
    }
    this.#push(text);
  }

  /** Sends a frame whatever waits: for short notices only. */
  push(frame: object): void {
    this.#push(JSON.stringify(frame));
  }

  #push(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#unsent += 1;
    this.#stall ??= setTimeout(this.#onStall, this.#stallTimeoutMs);
    this.#socket.send(text, () => this.#sent());
  }

  /** Nobody waits any more. */
  close(): void {
    clearTimeout(this.#stall);
    this.#wake();
  }

  #room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => reject(signal.reason as Error);
      if (signal.aborted) return leave();
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(() => {
        signal.removeEventListener("abort", leave);
        resolve();
      });
    });
  }

  #sent(): void {
    this.#unsent -= 1;
    if (this.#unsent > 0) this.#stall?.refresh();
    else {
      clearTimeout(this.#stall);
      this.#stall = undefined;
    }
    if (this.#socket.bufferedAmount <= highWaterBytes) this.#wake();
  }

  /** In the order in which they came; each looks again whether there is room. */
  #wake(): void {
    for (const proceed of this.#waiting.splice(0)) proceed();
  }
}
