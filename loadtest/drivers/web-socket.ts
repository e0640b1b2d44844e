/** @file A driver of chat over WebSocket: all requests of a load on one connection, told apart by their stream ids. */

import { once } from "node:events";
import { WebSocket } from "ws";
import type { Driver, Observation } from "./observation.ts";
import { emptyObservation, observePiece, type AnswerPiece } from "./stream-observer.ts";

interface ServerFrame extends AnswerPiece {
  type: string;
  stream_id?: string;
}

/** A connection, and the driver that asks over it. */
export interface SocketDriver {
  driver: Driver;
  /** Resolves when the server has closed it, too. */
  close: () => Promise<void>;
}

/** Codes of errors that refuse a request because of load: over HTTP they have status 429. */
const refusals = new Set(["overloaded"]);

/** Connects to a server. Rejects when it refuses the upgrade. */
export async function connectSocket(url: string): Promise<SocketDriver> {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/chat/completions`);
  const streams = new Map<string, (frame: ServerFrame) => void>();
  await once(socket, "open");
  socket.on("message", (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as ServerFrame;
    streams.get(frame.stream_id ?? "")?.(frame);
  });
  socket.on("close", (code) => {
    for (const receive of streams.values()) receive({ type: "error", error: { message: `the connection closed with ${code}` } });
  });
  let count = 0;
  const driver: Driver = async (_url, body, dueMs, signal) => {
    const streamId = `stream-${count++}`;
    const seen = emptyObservation();
    // Fields of HTTP alone: over WebSocket every answer is streamed.
    const { stream: _, stream_options: __, ...request } = body as Record<string, unknown>;
    const cancel = (): void => socket.send(JSON.stringify({ type: "chat.completion.cancel", stream_id: streamId }));
    const ended = new Promise<void>((resolve) => {
      streams.set(streamId, (frame) => {
        readFrame(frame, performance.now() - dueMs, seen);
        if (frame.type === "chat.completion.done" || frame.type === "error") resolve();
      });
    });
    signal.addEventListener("abort", cancel);
    socket.send(JSON.stringify({ type: "chat.completion.create", stream_id: streamId, ...request }));
    await ended;
    signal.removeEventListener("abort", cancel);
    streams.delete(streamId);
    seen.endToEndMs = performance.now() - dueMs;
    return seen;
  };
  const close = async (): Promise<void> => {
    const closed = once(socket, "close");
    socket.close();
    await closed;
  };
  return { driver, close };
}

function readFrame(frame: ServerFrame, atMs: number, seen: Observation): void {
  observePiece(frame, atMs, seen);
  if (frame.type === "chat.completion.done") seen.status = 200;
  const { code } = (frame.error ?? {}) as { code?: string };
  if (code !== undefined && refusals.has(code)) {
    seen.status = 429;
    seen.failure = undefined;
  }
}
