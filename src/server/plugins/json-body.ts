/** @file The bodies that the server reads: JSON, which is checked before it is parsed. */

import type { FastifyInstance } from "fastify";
import { checkedJsonText } from "../../protocol/wire/json-body.ts";

/** Takes the place of Fastify's parsers. Prototypes are refused as Fastify refuses them. */
export function parseJsonBodies(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser("error", "error");
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    try {
      void parse(request, checkedJsonText(body as Buffer, "The body"), done);
    } catch (error) {
      done(error as Error, undefined);
    }
  });
}
