/**
 * @file The OpenAPI document of the routes' schemas at /openapi.json, and Swagger UI at /docs, which needs no network.
 */

import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";

/** Collects the schemas. Call before the routes. */
export async function documentRoutes(server: FastifyInstance, version: string): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Bonsai",
        version,
        description:
          "Language models over the OpenAI protocol. The official OpenAI clients work unchanged; every field beyond theirs is optional.",
      },
      components: {
        securitySchemes: {
          key: { type: "http", scheme: "bearer", description: "A key of --api-key; without any configured, none is asked for." },
        },
      },
      security: [{ key: [] }, {}],
      tags: [
        { name: "generation", description: "Answers of the models" },
        { name: "scoring", description: "Rewards of answers" },
        { name: "models", description: "What is served" },
        { name: "operation", description: "Health and metrics" },
      ],
    },
  });
  await server.register(swaggerUi, { routePrefix: "/docs", staticCSP: true, uiConfig: { validatorUrl: null, deepLinking: true } });
  server.get("/openapi.json", { schema: { hide: true } }, async () => server.swagger());
}
