/** @file Which browser pages may call the server. By default none but those that it serves itself. */

import cors from "@fastify/cors";
import type { FastifyInstance } from "fastify";

/** Answers preflight requests and marks answers for the listed origins; without any, sends no CORS header at all. */
export async function allowOrigins(server: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  await server.register(cors, {
    origin: origins.includes("*") ? "*" : [...origins],
    credentials: false,
    methods: ["GET", "POST", "OPTIONS"],
    exposedHeaders: ["x-request-id", "retry-after"],
    maxAge: 600,
    strictPreflight: false,
  });
}
