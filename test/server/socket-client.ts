/** @file A WebSocket client for tests: frames in order, and how the connection ended. */

import { once } from "node:events";
import { WebSocket, type ClientOptions } from "ws";
import { EventQueue } from "../../src/engine/worker/event-queue.ts";

export interface Frame {
  type: string;
  stream_id?: string;
  [field: string]: unknown;
}

export interface Ended {
  code: number;
  reason: string;
}

export class SocketClient {
  readonly socket: WebSocket;
  /** Resolves when the connection is closed. */
  readonly ended: Promise<Ended>;
  readonly #frames = new EventQueue<Frame>();
  readonly #iterator = this.#frames[Symbol.asyncIterator]();

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer) => this.#frames.push(JSON.parse(data.toString()) as Frame));
    this.ended = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        this.#frames.fail(new Error(`closed with ${code}`));
        resolve({ code, reason: reason.toString() });
      });
    });
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** The next frame; rejects when the connection ends before. */
  async next(): Promise<Frame> {
    const { value } = await this.#iterator.next();
    return value as Frame;
  }

  /** The frames up to and with the first that holds. */
  async until(holds: (frame: Frame) => boolean): Promise<Frame[]> {
    const frames: Frame[] = [];
    do frames.push(await this.next());
    while (!holds(frames.at(-1)!));
    return frames;
  }
}

/** Connects to a path of the server. Rejects with the status of a refused upgrade in the message. */
export async function connect(base: string, options: ClientOptions & { protocols?: string[]; path?: string } = {}): Promise<SocketClient> {
  const { protocols = [], path = "/v1/chat/completions", ...rest } = options;
  const socket = new WebSocket(`${base.replace("http", "ws")}${path}`, protocols, rest);
  const client = new SocketClient(socket);
  await once(socket, "open");
  return client;
}

/** The answer that refuses an upgrade. */
export async function refusal(
  base: string,
  options: ClientOptions & { protocols?: string[] } = {},
): Promise<{ status: number; body: string }> {
  const { protocols = [], ...rest } = options;
  const socket = new WebSocket(`${base.replace("http", "ws")}/v1/chat/completions`, protocols, rest);
  return new Promise((resolve, reject) => {
    socket.on("open", () => reject(new Error("The upgrade was not refused.")));
    socket.on("error", () => undefined);
    socket.on("unexpected-response", (_, response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
    });
  });
}

/** The text of a stream's chunks, by choice. */
export function textOf(frames: readonly Frame[], streamId: string, choice = 0): string {
  return frames
    .filter((frame) => frame.type === "chat.completion.chunk" && frame.stream_id === streamId)
    .flatMap((frame) => frame["choices"] as { index: number; delta: { content?: string } }[])
    .filter(({ index }) => index === choice)
    .map(({ delta }) => delta.content ?? "")
    .join("");
}

export const isDone =
  (streamId: string) =>
  (frame: Frame): boolean =>
    frame.stream_id === streamId && (frame.type === "chat.completion.done" || frame.type === "error");
