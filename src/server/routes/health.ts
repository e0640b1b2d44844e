/** @file GET /health/live, /health/ready and /health: for those who keep the server running. They ask for no key. */

import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { ServerContext } from "../context.ts";
import { failures } from "./answers.ts";

const Health = Type.Object({ status: Type.Union([Type.Literal("live"), Type.Literal("ready")]) }, { title: "Health" });

export function healthRoutes(server: FastifyInstance, { lifecycle }: ServerContext): void {
  const schema = (summary: string, operationId: string, ...statuses: (500 | 503)[]): object => ({
    tags: ["operation"],
    operationId,
    summary,
    security: [{}],
    response: { 200: { description: "Yes.", content: { "application/json": { schema: Health } } }, ...failures(...statuses) },
  });
  server.get(
    "/health/live",
    { config: { isPublic: true }, schema: schema("Whether the process answers", "getLiveness", 500) },
    async () => ({ status: "live" }),
  );
  for (const [url, operationId] of [
    ["/health/ready", "getReadiness"],
    ["/health", "getHealth"],
  ] as const) {
    server.get(url, { config: { isPublic: true }, schema: schema("Whether new requests are taken", operationId, 500, 503) }, async () => {
      lifecycle.requireEngine();
      return { status: "ready" };
    });
  }
}
