/** @file A client of WebSocket chat that reads its streams as they come and notes when. */

import { once } from "node:events";
import { WebSocket } from "ws";

export interface SocketStream {
  /** When each chunk that carries text arrived, performance.now(). */
  arrivalsMs: number[];
  text: string;
  /** False when the stream was cancelled or failed. */
  complete: boolean;
}

/** Connects to a server. */
export async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/chat/completions`);
  await once(socket, "open");
  return socket;
}

/** Sends one chat and reads its answer to the end, of which an abort of the signal asks for at once. One at a time on each socket. */
export async function streamChat(socket: WebSocket, body: object, signal?: AbortSignal): Promise<SocketStream> {
  const stream: SocketStream = { arrivalsMs: [], text: "", complete: false };
  const cancel = (): void => socket.send(JSON.stringify({ type: "chat.completion.cancel", stream_id: "load" }));
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      const receive = (data: Buffer): void => {
        const nowMs = performance.now();
        const frame = JSON.parse(data.toString()) as { type: string; choices?: { delta: { content?: string } }[] };
        const content = frame.choices?.[0]?.delta.content ?? "";
        if (content !== "") {
          stream.arrivalsMs.push(nowMs);
          stream.text += content;
        }
        if (frame.type !== "chat.completion.done" && frame.type !== "error") return;
        socket.off("message", receive);
        stream.complete = frame.type === "chat.completion.done";
        if (stream.complete || signal?.aborted === true) resolve();
        else reject(new Error(`A stream failed: ${data.toString()}`));
      };
      socket.on("message", receive);
      socket.send(JSON.stringify({ type: "chat.completion.create", stream_id: "load", ...body }));
    });
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
  return stream;
}
