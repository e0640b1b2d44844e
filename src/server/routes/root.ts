/** @file GET /: where a person or program that found the server goes on. */

import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import type { ServerContext } from "../context.ts";
import { failures } from "./answers.ts";

const Root = Type.Object(
  {
    name: Type.Literal("Bonsai"),
    version: Type.Optional(Type.String({ description: "Absent where the server asks for a key." })),
    docs: Type.String(),
    models: Type.String(),
    try: Type.String({ description: "A command for a shell." }),
  },
  { title: "Root" },
);

/** The host as the client named it, where that is harmless in a page and a shell. */
const safeHost = (host: string): string => (/^[\w.[\]:-]+$/.test(host) ? host : "localhost");

/** Tells nothing of the models, and of the version only where no key is asked for: the route needs none. */
export function rootRoute(server: FastifyInstance, { config, version }: ServerContext): void {
  const asksForKey = config.apiKey.length > 0;
  server.get(
    "/",
    {
      config: { isPublic: true },
      schema: {
        tags: ["operation"],
        operationId: "getRoot",
        summary: "What this server is",
        security: [{}],
        response: {
          200: {
            description: "As JSON, or as a page.",
            content: { "application/json": { schema: Root }, "text/html": { schema: Type.String() } },
          },
          ...failures(500),
        },
      },
    },
    async (request, reply) => {
      const key = asksForKey ? " -H 'authorization: Bearer YOUR_KEY'" : "";
      const command = `curl http://${safeHost(request.host)}/v1/models${key}`;
      const root = { name: "Bonsai", ...(asksForKey ? {} : { version }), docs: "/docs", models: "/v1/models", try: command };
      if (request.headers.accept?.includes("text/html") !== true) return reply.send(root);
      reply.header("content-security-policy", "default-src 'none'");
      return reply
        .type("text/html; charset=utf-8")
        .serializer((page: string) => page)
        .send(
          `<!doctype html><html lang="en"><title>Bonsai</title><h1>Bonsai ${root.version ?? ""}</h1>` +
            `<p>A server for language models over the OpenAI protocol.</p>` +
            `<ul><li><a href="/docs">Routes</a></li><li><a href="/v1/models">Models</a></li></ul><pre>${command}</pre></html>\n`,
        );
    },
  );
}
