/** @file GET /metrics, in Prometheus' text format. */

import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { failures } from "./answers.ts";

export function metricsRoute(server: FastifyInstance, { metrics }: ServerContext): void {
  server.get(
    "/metrics",
    {
      schema: {
        tags: ["operation"],
        operationId: "getMetrics",
        summary: "Counters for Prometheus",
        response: {
          200: { description: "Text format 0.0.4.", content: { "text/plain": { schema: { type: "string" } } } },
          ...failures(401, 500),
        },
      },
    },
    async (_request, reply) => {
      const text = await metrics.registry.metrics();
      return reply.type(metrics.registry.contentType).send(text);
    },
  );
}
