/** @file The TCP connections of the HTTP server: what each waits for, and their end when the server stops. */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { noNewRequests } from "./lifecycle.ts";
import { endWithError } from "./plugins/errors.ts";

/** Longest time for answers to reach their clients once the server closes. */
const lingerMs = 1000;

interface Connection {
  /** Answers of requests whose head has arrived, the first to go out first. */
  readonly answers: Set<ServerResponse>;
  /** Bytes that had arrived at the end of the last answer: more of them are the beginning of a request. */
  bytesAtRest: number;
  /** It speaks WebSocket: `Connections` decides when it is idle. */
  isUpgraded: boolean;
}

export class HttpConnections {
  readonly #open = new Map<Socket, Connection>();
  #isStopping = false;
  #isClosed = false;
  #onAllClosed: (() => void) | undefined;

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => this.#opened(socket));
    // Before the listener that answers.
    server.prependListener("request", (_request: IncomingMessage, answer: ServerResponse) => this.#asked(answer));
    server.prependListener("upgrade", ({ socket }: IncomingMessage) => {
      const connection = this.#open.get(socket);
      if (connection !== undefined) connection.isUpgraded = true;
    });
  }

  /**
   * Closes connections that wait for a request at once, refuses requests of which only a part has arrived, and closes
   * each other connection after its last answer.
   */
  closeIdle(): void {
    this.#isStopping = true;
    for (const [socket, { answers, bytesAtRest, isUpgraded }] of this.#open) {
      if (isUpgraded) continue;
      const [answer] = answers;
      if (answer === undefined && socket.bytesRead === bytesAtRest) socket.destroy();
      else if (answer === undefined || (!answer.req.complete && !answer.headersSent)) endWithError(socket, noNewRequests());
    }
  }

  /** Closes all connections: those with an answer on its way once it has gone out, but after a second at the latest. */
  async closeAll(): Promise<void> {
    this.closeIdle();
    if (this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, lingerMs);
        this.#onAllClosed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isClosed = true;
    for (const socket of this.#open.keys()) socket.destroy();
  }

  #opened(socket: Socket): void {
    if (this.#isClosed) return void socket.destroy();
    const connection: Connection = { answers: new Set(), bytesAtRest: 0, isUpgraded: false };
    this.#open.set(socket, connection);
    socket.once("close", () => {
      this.#open.delete(socket);
      // Node closes only the first answer. Those of pipelined requests behind it would go on.
      for (const answer of connection.answers) {
        if (answer.closed) continue;
        answer.destroy();
        answer.emit("close");
      }
      if (this.#open.size === 0) this.#onAllClosed?.();
    });
  }

  #asked(answer: ServerResponse): void {
    const { socket } = answer.req;
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    if (this.#isStopping) answer.setHeader("connection", "close");
    connection.answers.add(answer);
    answer.once("close", () => {
      connection.answers.delete(answer);
      connection.bytesAtRest = socket.bytesRead;
      if (this.#isStopping && connection.answers.size === 0) socket.destroySoon();
    });
  }
}
