/** @file API keys: every route asks for one, except those that say they are public. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { BonsaiError } from "../../errors/bonsai-error.ts";

const digest = (key: string): Buffer => createHash("sha256").update(key).digest();

/**
 * Whether a key is one of some. Digests have one length and all of them are compared, so the time tells nothing of the
 * keys.
 * @param digests SHA-256 of the accepted keys.
 */
export function isKnownKey(key: string, digests: readonly Buffer[]): boolean {
  const presented = digest(key);
  let known = false;
  for (const accepted of digests) known = timingSafeEqual(presented, accepted) || known;
  return known;
}

/**
 * The key of an Authorization header: a bearer token or, where browsers ask for a password, that password (RFC 6750,
 * RFC 7617).
 */
export function presentedKey(header: string | undefined, allowsBasic: boolean): string | undefined {
  const match = /^(bearer|basic) +([^ ]+) *$/i.exec(header ?? "");
  if (match === null) return undefined;
  if (match[1]!.toLowerCase() === "bearer") return match[2];
  if (!allowsBasic) return undefined;
  const decoded = Buffer.from(match[2]!, "base64").toString();
  return decoded.slice(decoded.indexOf(":") + 1);
}

/**
 * Beginning of the WebSocket subprotocol that carries a key, as OpenAI's clients send it from browsers, which cannot
 * set headers.
 */
export const keyProtocolPrefix = "openai-insecure-api-key.";

/** The key among the subprotocols that a WebSocket's handshake offers. */
export function protocolKey(header: string | undefined): string | undefined {
  const offered = (header ?? "").split(",").map((protocol) => protocol.trim());
  const found = offered.find((protocol) => protocol.startsWith(keyProtocolPrefix));
  return found?.slice(keyProtocolPrefix.length);
}

/**
 * Whether a page of the documentation is asked for, which people open in a browser: there the key may be the password
 * of HTTP Basic.
 */
const isDocumentation = (url: string): boolean => /^\/(docs([/?]|$)|openapi\.json([?]|$))/.test(url);

/**
 * Asks for a key on every route, unknown ones too, once keys are configured. Registered after CORS, whose preflight
 * requests carry none.
 */
export function authenticate(server: FastifyInstance, keys: readonly string[]): void {
  server.decorateRequest("client", "");
  if (keys.length === 0) return;
  const digests = keys.map(digest);
  server.addHook("onRequest", async (request, reply) => {
    if (request.routeOptions.config.isPublic === true) return;
    const allowsBasic = isDocumentation(request.url);
    const { authorization, "sec-websocket-protocol": protocols } = request.headers;
    const key = presentedKey(authorization, allowsBasic) ?? (request.ws ? protocolKey(protocols) : undefined);
    if (key !== undefined && isKnownKey(key, digests)) {
      request.client = digest(key).toString("hex");
      return;
    }
    reply.header("www-authenticate", allowsBasic ? 'Basic realm="bonsai", charset="UTF-8"' : 'Bearer realm="bonsai"');
    throw new BonsaiError(
      "invalid_api_key",
      key === undefined ? "This server asks for an API key: send Authorization: Bearer KEY." : "The API key is not one of the server's.",
    );
  });
}
