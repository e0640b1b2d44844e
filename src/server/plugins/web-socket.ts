/** @file The upgrade to WebSocket: who may connect from where, and by which subprotocol. */

import websocket from "@fastify/websocket";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ServerContext } from "../context.ts";
import { closeCodes } from "../sockets/connection.ts";
import { closeTimeoutMs } from "../sockets/connections.ts";
import { keyProtocolPrefix } from "./authentication.ts";

/**
 * Pages of other origins may open WebSockets without asking first (CORS does not cover them), so each must be on the
 * list. Programs send no Origin.
 */
export const isAllowedOrigin = (origin: string | undefined, allowed: readonly string[]): boolean =>
  origin === undefined || allowed.includes("*") || allowed.includes(origin);

/**
 * A browser drops a connection whose server takes none of the subprotocols that it offered. The key is taken only where
 * nothing else was offered.
 */
export function chooseProtocol(offered: ReadonlySet<string>): string | false {
  const names = [...offered];
  return names.find((name) => !name.startsWith(keyProtocolPrefix)) ?? names[0] ?? false;
}

/** Registers the upgrade and its checks. Call before the routes and before every hook that looks at `request.ws`. */
export async function acceptWebSockets(server: FastifyInstance, { config, connections }: ServerContext): Promise<void> {
  const options = { maxPayload: config.bodyLimitBytes, handleProtocols: chooseProtocol, closeTimeout: closeTimeoutMs };
  await server.register(websocket, {
    options,
    // Failures of the connection end it by themselves, with the code that belongs to them; a bug does not.
    errorHandler: (error, socket, request) => {
      request.log.info({ err: error }, "connection failed");
      if (socket.readyState === socket.OPEN) socket.close(closeCodes.internal);
    },
    preClose: (done) => {
      connections.closeAll();
      server.websocketServer.close();
      done();
    },
  });
}

/** Refuses upgrades that are none to WebSocket, and those from pages of other origins. */
export function checkUpgrades(server: FastifyInstance, { config }: ServerContext): void {
  server.addHook("onRequest", async (request) => {
    if (!request.ws) return;
    const { upgrade, origin } = request.headers;
    if (upgrade?.toLowerCase() !== "websocket")
      throw new BonsaiError("invalid_request", "The server upgrades connections to WebSocket only: send no other Upgrade header.", {
        param: "Upgrade",
      });
    if (!isAllowedOrigin(origin, config.corsOrigin))
      throw new BonsaiError(
        "origin_not_allowed",
        "Pages of this origin may not connect; the server's --cors-origin lists those that may.",
        {
          param: "Origin",
        },
      );
  });
}

/** Answers a request without an upgrade to a route that speaks WebSocket. */
export async function askForUpgrade(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.header("upgrade", "websocket");
  throw new BonsaiError("upgrade_required", "This route speaks WebSocket: connect with a WebSocket client, or send the request by POST.");
}
