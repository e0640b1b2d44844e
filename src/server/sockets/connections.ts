/**
 * @file All WebSocket connections of a server: their number, what they share, and their end when the server shuts down.
 */

import type { FastifyInstance, FastifyRequest } from "fastify";
import type { WebSocket } from "ws";
import type { Config } from "../../config/options.ts";
import type { ClientFrame } from "../../protocol/wire/frames.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Metrics } from "../metrics.ts";
import { reportFailure } from "../plugins/errors.ts";
import { refuseWhileLagging } from "../plugins/pressure.ts";
import { closeCodes, Connection, type SocketDialect } from "./connection.ts";

/** Time for the other end to answer a close. */
export const closeTimeoutMs = 1000;

export class Connections {
  readonly #server: FastifyInstance;
  readonly #config: Config;
  readonly #lifecycle: Lifecycle;
  readonly #metrics: Metrics;
  readonly #open = new Map<WebSocket, Connection>();

  constructor(server: FastifyInstance, config: Config, lifecycle: Lifecycle, metrics: Metrics) {
    this.#server = server;
    this.#config = config;
    this.#lifecycle = lifecycle;
    this.#metrics = metrics;
    metrics.countConnections(() => this.#open.size);
    lifecycle.draining.addEventListener("abort", () => {
      for (const connection of this.#open.values()) connection.drain();
    });
  }

  /** Owns a socket whose upgrade has been answered. */
  accept(socket: WebSocket, request: FastifyRequest, dialect: SocketDialect): void {
    if (this.#open.size >= this.#config.maxWebsockets) {
      socket.close(closeCodes.tryAgain, "The server has as many connections as it takes.");
      return;
    }
    const route = request.routeOptions.url ?? "unmatched";
    const connection = new Connection(socket, dialect, {
      lifecycle: this.#lifecycle,
      maxStreams: this.#config.maxWebsocketStreams,
      pingIntervalMs: this.#config.websocketPingIntervalSeconds * 1000,
      idleTimeoutMs: this.#config.websocketIdleTimeoutSeconds * 1000,
      stallTimeoutMs: this.#config.streamStallTimeoutSeconds * 1000,
      reportFailure: (failure, frame) => reportFailure(request, failure, frame),
      onFrame: (frame) => this.#hear(request, dialect, frame),
      onEnd: (outcome, streamId, durationMs) => {
        this.#metrics.streamed(route, outcome);
        request.log.info({ route, streamId, outcome, durationMs: Math.round(durationMs * 10) / 10 }, "answered");
      },
    });
    this.#open.set(socket, connection);
    socket.on("close", () => this.#open.delete(socket));
    // The upgrade may have been on its way when draining began.
    if (this.#lifecycle.draining.aborted) connection.drain();
  }

  /** Closes each: at once where nothing runs, else after its last frame. */
  closeAll(): void {
    for (const connection of this.#open.values()) connection.drain();
  }

  #hear(request: FastifyRequest, dialect: SocketDialect, frame: ClientFrame): void {
    if (this.#config.logPrompts) request.log.debug({ frame }, "frame");
    if (frame.type === dialect.create) refuseWhileLagging(this.#server);
  }
}
