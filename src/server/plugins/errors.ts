/** @file Every failure becomes OpenAI's error body: those of the program, of Fastify, of Node's parser, and bugs. */

import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { inFieldsOf } from "../../protocol/mapping/field-names.ts";
import { toErrorBody } from "../../protocol/wire/errors.ts";
import { invalidRequest } from "../../protocol/wire/invalid-request.ts";

const notJson = (error: unknown): BonsaiError => new BonsaiError("invalid_request", "The body is not valid JSON.", { cause: error });

/** Fastify's own failures, by their code. Their messages may quote the body, so ours take their place. */
const fastifyErrors: Readonly<Record<string, (error: FastifyError) => BonsaiError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: (error) =>
    new BonsaiError("body_too_large", "The body is larger than the server takes (--body-limit).", { cause: error }),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: (error) =>
    new BonsaiError("unsupported_media_type", "The body must be JSON: send Content-Type: application/json.", { cause: error }),
  FST_ERR_CTP_INVALID_TYPE: (error) =>
    new BonsaiError("unsupported_media_type", "The body must be JSON: send Content-Type: application/json.", { cause: error }),
  FST_ERR_CTP_EMPTY_JSON_BODY: (error) =>
    new BonsaiError("invalid_request", "The body is empty; it must be a JSON object.", { cause: error }),
  FST_ERR_CTP_INVALID_JSON_BODY: notJson,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: (error) =>
    new BonsaiError("invalid_request", "The body is not as long as Content-Length says.", { cause: error }),
  FST_ERR_BAD_URL: (error) => new BonsaiError("invalid_request", "The URL is not well encoded.", { cause: error }),
  FST_ERR_NOT_FOUND: (error) => new BonsaiError("not_found", "There is no such route; /docs lists those that are.", { cause: error }),
};

/** Failures of the server that say nothing of its insides. */
const isToldInFull = ({ status, code }: BonsaiError): boolean => status < 500 || code === "loading" || code === "draining";

/**
 * Any failure as an error that a client may read. What is a fault of the server may name files, or quote native
 * libraries: the client gets its code and the id under which the log has the whole.
 */
function toClientError(error: unknown, requestId: string, body: unknown): BonsaiError {
  if (error instanceof BonsaiError && isToldInFull(error)) return inFieldsOf(body, error);
  const fastifyError = error as FastifyError;
  if (fastifyError.validation !== undefined) return invalidRequest(fastifyError.validation, body);
  const known = fastifyErrors[fastifyError.code];
  if (known !== undefined) return known(fastifyError);
  if (error instanceof SyntaxError && fastifyError.statusCode === 400) return notJson(error);
  if (fastifyError.statusCode !== undefined && fastifyError.statusCode >= 400 && fastifyError.statusCode < 500) {
    return new BonsaiError("invalid_request", "The request is not well formed.", { cause: error });
  }
  const { code, retryAfterSeconds } = error instanceof BonsaiError ? error : { code: "internal" as const, retryAfterSeconds: undefined };
  return new BonsaiError(code, `The server failed on this request; its log has the details under request id ${requestId}.`, {
    cause: error,
    retryAfterSeconds,
  });
}

/**
 * Writes the line that a failure deserves, 5xx with the cause, the rest with code and field, and gives the error that
 * the client may read.
 * @param body what the fields of an error are in: the request's body, or a frame
 */
export function reportFailure(request: FastifyRequest, failure: unknown, body: unknown = request.body): BonsaiError {
  const error = toClientError(failure, request.id, body);
  if (isToldInFull(error)) request.log.info({ code: error.code, param: error.param }, "request refused");
  else request.log.error({ code: error.code, err: error.cause }, "request failed");
  return error;
}

export function sendError(request: FastifyRequest, reply: FastifyReply, failure: unknown): FastifyReply {
  const error = reportFailure(request, failure);
  reply.code(error.status).type("application/json; charset=utf-8").headers(retryHeaders(error));
  return reply.send(JSON.stringify(toErrorBody(error)));
}

function retryHeaders({ code, retryAfterSeconds = code === "overloaded" ? 1 : undefined }: BonsaiError): Record<string, string> {
  return retryAfterSeconds === undefined ? {} : { "retry-after": String(Math.max(1, Math.ceil(retryAfterSeconds))) };
}

/** A route's pattern as an expression over paths. */
const patternOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .split("/")
      .map((part) => (part === "*" ? ".*" : part.startsWith(":") ? "[^/]+" : part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")))
      .join("/")}$`,
  );

/** Registers the handlers. Call before the routes, whose methods it collects for 405. */
export function handleErrors(server: FastifyInstance): void {
  const routes: { pattern: RegExp; methods: string[] }[] = [];
  server.addHook("onRoute", (route) => {
    // The plugin of CORS answers preflight requests by a route for every path.
    if (route.url === "*") return;
    routes.push({ pattern: patternOf(route.url), methods: [route.method].flat() });
  });
  const sendUnknownRoute = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split("?", 1)[0]!;
    const methods = new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => route.methods));
    if (methods.size === 0)
      return sendError(request, reply, new BonsaiError("not_found", "There is no such route; /docs lists those that are."));
    reply.header("allow", [...methods, "OPTIONS"].toSorted().join(", "));
    if (request.method === "OPTIONS") return reply.code(204).send();
    return sendError(
      request,
      reply,
      new BonsaiError("method_not_allowed", `This route does not know ${request.method}; it takes ${[...methods].toSorted().join(", ")}.`),
    );
  };
  server.setErrorHandler((error, request, reply) => {
    // Without a route, what is wrong with the body is beside the point; a missing key is not.
    if (request.is404 && !(error instanceof BonsaiError)) return sendUnknownRoute(request, reply);
    return sendError(request, reply, error);
  });
  server.setNotFoundHandler(sendUnknownRoute);
}

/** What Node's HTTP parser refuses before there is a request. */
function parserError(code: string | undefined): { status: number; error: BonsaiError } {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return { status: 408, error: new BonsaiError("request_timeout", "The request did not arrive in time.") };
  if (code === "HPE_HEADER_OVERFLOW")
    return {
      status: 431,
      error: new BonsaiError("invalid_request", "The request's head is larger than the server takes (--header-limit)."),
    };
  return { status: 400, error: new BonsaiError("invalid_request", "This is not a well-formed HTTP request.") };
}

/** Answers a connection that Node's HTTP parser gave up on. */
export function handleParserError(failure: Error & { code?: string }, socket: Socket): void {
  if (failure.code === "ECONNRESET" || socket.destroyed) return;
  const { status, error } = parserError(failure.code);
  endWithError(socket, error, status);
}

/** Answers a connection whose request has not arrived completely, and closes it. */
export function endWithError(socket: Socket, error: BonsaiError, status: number = error.status): void {
  const body = JSON.stringify(toErrorBody(error));
  const headers = Object.entries({
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    connection: "close",
    ...retryHeaders(error),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  if (socket.writable) socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers.join("")}\r\n${body}`);
  socket.destroySoon();
}
