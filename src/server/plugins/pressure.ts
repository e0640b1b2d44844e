/** @file Refuses new generations while the event loop lags, so that those that run and the health routes stay quick. */

import underPressure from "@fastify/under-pressure";
import type { FastifyInstance } from "fastify";
import { BonsaiError } from "../../errors/bonsai-error.ts";

const lagging = (): BonsaiError => new BonsaiError("overloaded", "The server lags behind: retry shortly.", { retryAfterSeconds: 1 });

/** For what is asked for over a connection that is open already. Throws `overloaded` while the event loop lags. */
export function refuseWhileLagging(server: FastifyInstance): void {
  if (server.hasDecorator("isUnderPressure") && server.isUnderPressure()) throw lagging();
}

/** @param maxEventLoopDelayMs 0 never refuses. */
export async function refuseUnderPressure(server: FastifyInstance, maxEventLoopDelayMs: number): Promise<void> {
  if (maxEventLoopDelayMs === 0) return;
  await server.register(underPressure, {
    maxEventLoopDelay: maxEventLoopDelayMs,
    sampleInterval: 500,
    pressureHandler: async (request) => {
      if (request.routeOptions.config.generates !== true) return;
      throw lagging();
    },
  });
}
