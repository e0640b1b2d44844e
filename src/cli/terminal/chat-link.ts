/** @file A client of WebSocket chat: one connection to a server, one answer after the other. */

import { once } from "node:events";
import { WebSocket } from "ws";
import { EventQueue } from "../../engine/worker/event-queue.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ChatServerFrame } from "../../protocol/wire/chat/frames.ts";
import type { ErrorFrame } from "../../protocol/wire/frames.ts";
import type { ModelList } from "../../protocol/wire/models.ts";

/** Longest frame, in bytes, that is accepted from a server. */
const maxFrameBytes = 16 * 1024 * 1024;

export interface ChatLinkOptions {
  /** Base URL of the server, as in http://127.0.0.1:8000. */
  url: string;
  apiKey: string | undefined;
}

/** An answer while it is streamed. */
export interface LinkAnswer {
  /**
   * Up to and with `chat.completion.done`. Rejects with the server's error, or `upstream_failed` when the connection
   * ends.
   */
  frames: AsyncIterable<ChatServerFrame>;
  /** Asks the server to cancel the answer; `frames` then rejects with the error `cancelled`. */
  cancel: () => void;
}

export class ChatLink {
  readonly #socket: WebSocket;
  readonly #answers = new Map<string, EventQueue<ChatServerFrame>>();
  #lastStream = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.#receive(JSON.parse((data as Buffer).toString()) as ChatServerFrame | ErrorFrame));
    socket.on("error", () => undefined);
    socket.on("close", (code, reason) => {
      const why = reason.length > 0 ? `: ${reason.toString()}` : ` (${code})`;
      for (const queue of this.#answers.values()) queue.fail(new BonsaiError("upstream_failed", `The server closed the connection${why}`));
    });
  }

  /** @throws BonsaiError `upstream_failed` when there is no server, or it does not let us in */
  static async open({ url, apiKey }: ChatLinkOptions): Promise<ChatLink> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/chat/completions`, {
      headers: authorization(apiKey),
      maxPayload: maxFrameBytes,
    });
    const refused = new Promise<never>((_, reject) => {
      socket.once("unexpected-response", (request, { statusCode }) => {
        request.destroy();
        reject(new BonsaiError("upstream_failed", `${url} refuses the connection with status ${statusCode}.${remedy(statusCode)}`));
      });
      socket.once("error", (cause) => reject(unreachable(url, cause)));
    });
    await Promise.race([once(socket, "open"), refused]);
    return new ChatLink(socket);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  ask(body: object): LinkAnswer {
    const streamId = String(++this.#lastStream);
    const queue = new EventQueue<ChatServerFrame>();
    this.#answers.set(streamId, queue);
    if (!this.isOpen) queue.fail(new BonsaiError("upstream_failed", "The connection to the server is closed."));
    else this.#send({ type: "chat.completion.create", stream_id: streamId, ...body });
    const answers = this.#answers;
    async function* frames(): AsyncGenerator<ChatServerFrame, void, undefined> {
      try {
        for await (const frame of queue) {
          yield frame;
          if (frame.type === "chat.completion.done") return;
        }
      } finally {
        answers.delete(streamId);
      }
    }
    return { frames: frames(), cancel: () => this.#send({ type: "chat.completion.cancel", stream_id: streamId }) };
  }

  close(): void {
    this.#socket.close();
  }

  #send(frame: object): void {
    if (this.isOpen) this.#socket.send(JSON.stringify(frame));
  }

  #receive(frame: ChatServerFrame | ErrorFrame): void {
    // An error without a stream refuses a frame: there is one answer at a time, so it is that one's.
    const queues = frame.stream_id === undefined ? [...this.#answers.values()] : [this.#answers.get(frame.stream_id)];
    for (const queue of queues) {
      if (frame.type === "error") queue?.fail(serverError(frame));
      else queue?.push(frame);
    }
  }
}

/**
 * Ids of the policies that a server serves and that can chat.
 * @throws BonsaiError `upstream_failed`
 */
export async function servedPolicies({ url, apiKey }: ChatLinkOptions): Promise<string[]> {
  const response = await fetch(`${url}/v1/models`, { headers: authorization(apiKey) }).catch((cause: unknown) => {
    throw unreachable(url, cause);
  });
  if (!response.ok)
    throw new BonsaiError("upstream_failed", `${url} answers /v1/models with status ${response.status}.${remedy(response.status)}`);
  const { data } = (await response.json()) as ModelList;
  return data.filter(({ kind, card }) => kind === "policy" && card.has_chat_template).map(({ id }) => id);
}

const authorization = (apiKey: string | undefined): Record<string, string> =>
  apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };

const remedy = (status: number | undefined): string =>
  status === 401 ? " It asks for a key: set BONSAI_API_KEY." : status === 503 ? " Its models may still be loading." : "";

const unreachable = (url: string, cause: unknown): BonsaiError =>
  new BonsaiError("upstream_failed", `No server answers at ${url}; npm start runs one.`, { cause });

function serverError({ error }: ErrorFrame): BonsaiError {
  const code = error.code === "cancelled" ? "cancelled" : "upstream_failed";
  return new BonsaiError(code, error.message, { param: error.param ?? undefined });
}
