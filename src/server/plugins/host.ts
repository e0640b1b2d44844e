/**
 * @file The names that the server answers to. A web page whose own name resolves to this machine (DNS rebinding) would
 * otherwise be of the same origin as the server, which CORS does not cover.
 */

import { isIPv4, isIPv6 } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Config } from "../../config/options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";

/** No page can have these as its own name: browsers resolve them to the machine that they run on (RFC 6761). */
const localNames = ["localhost", "*.localhost"];

/** A name as it is compared: in lower case, without the dot that ends a fully qualified one. */
const normalized = (name: string): string => name.toLowerCase().replace(/\.$/, "");

/**
 * Whether an authority (RFC 3986: a name or IP address, and maybe a port) names the server. An IP address always does:
 * a page at that address comes from there.
 * @param patterns names, `*.NAME` for all names below one, and `*` for every name
 */
export function isAllowedHost(authority: string, patterns: readonly string[]): boolean {
  const [, address, name = ""] = /^(?:\[([^\]]*)\]|([^:@[\]]*))(?::\d*)?$/.exec(authority) ?? [];
  if (address !== undefined) return isIPv6(address);
  const host = normalized(name);
  if (host === "") return false;
  if (isIPv4(host)) return true;
  return patterns
    .map(normalized)
    .some((pattern) => pattern === "*" || pattern === host || (pattern.startsWith("*.") && host.endsWith(pattern.slice(1))));
}

/** The authority of a request target in absolute form (RFC 9112, section 3.2.2), which takes the place of Host. */
const absoluteForm = /^https?:\/\/([^/?#]*)/i;

/** The path and query of a request target, whatever its form. */
export const originForm = (target: string): string => {
  const match = absoluteForm.exec(target);
  if (match === null) return target;
  const rest = target.slice(match[0].length);
  return rest.startsWith("/") ? rest : `/${rest}`;
};

/** The names that a server answers to besides IP addresses. */
export const allowedHosts = ({ host, allowedHost }: Config): string[] => [...localNames, host, ...allowedHost];

/**
 * Why a request is not for this server, if it is not: `host_not_allowed`, or `invalid_request` for a head that has no
 * Host or several.
 * @param patterns as `isAllowedHost` takes them
 */
export function hostRefusal({ raw, originalUrl }: FastifyRequest, patterns: readonly string[]): BonsaiError | undefined {
  const hosts = raw.rawHeaders.filter((_, at) => at % 2 === 1 && raw.rawHeaders[at - 1]!.toLowerCase() === "host");
  // HTTP/1.0 has no Host; browsers do not speak it.
  if (hosts.length > 1 || (hosts.length === 0 && raw.httpVersion !== "1.0"))
    return new BonsaiError("invalid_request", "The request must have one Host header.", { param: "Host" });
  const target = absoluteForm.exec(originalUrl)?.[1];
  const foreign = [...hosts, ...(target === undefined ? [] : [target])].find((authority) => !isAllowedHost(authority, patterns));
  if (foreign === undefined) return undefined;
  const name = JSON.stringify(foreign.slice(0, 255));
  return new BonsaiError(
    "host_not_allowed",
    `The server does not answer to the name ${name}. If it is one of its names, start it with --allowed-host NAME.`,
    { param: "Host" },
  );
}

/** Refuses requests for other hosts, on every path and before any other check. */
export function checkHosts(server: FastifyInstance, patterns: readonly string[]): void {
  server.addHook("onRequest", async (request) => {
    const error = hostRefusal(request, patterns);
    if (error !== undefined) throw error;
  });
}
