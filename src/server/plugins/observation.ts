/**
 * @file Request ids, one log line for each answer, and its count and duration in the metrics. Bodies stay out of the
 * log unless asked for.
 */

import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { finished } from "node:stream";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";

/** The client's own request id where it is harmless, else a fresh one. */
export function requestId(request: { headers: IncomingMessage["headers"] }): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && /^[\w.-]{1,128}$/.test(given) ? given : randomUUID();
}

/** Log fields that may hold a key. */
export const redactedPaths = ["req.headers.authorization", "headers.authorization", "*.authorization", "*.apiKey", "apiKey"];

export function observeRequests(server: FastifyInstance, { config, metrics }: ServerContext): void {
  server.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    finished(reply.raw, (failure) => {
      const route = request.routeOptions.url ?? "unmatched";
      // A connection that became a WebSocket; its answers are counted one by one.
      if (request.ws && !reply.raw.headersSent && reply.sent) {
        metrics.answered(route, 101, undefined);
        request.log.info({ method: request.method, route, status: 101, remoteAddress: request.ip }, "connection closed");
        return;
      }
      const status = failure instanceof Error ? 499 : reply.statusCode;
      metrics.answered(route, status, reply.elapsedTime / 1000);
      const durationMs = Math.round(reply.elapsedTime * 10) / 10;
      const fields = { method: request.method, route, status, durationMs, remoteAddress: request.ip };
      if (route.startsWith("/health") || route === "/metrics") request.log.debug(fields, "answered");
      else request.log.info(fields, status === 499 ? "client left" : "answered");
    });
  });
  if (config.logPrompts) {
    server.addHook("preHandler", async (request) => {
      if (request.body !== undefined) request.log.debug({ body: request.body }, "request body");
    });
  }
}
