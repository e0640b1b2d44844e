/** @file A real HTTP server on loopback whose route a test writes, with a log of what it was asked. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface LoopbackServer {
  /** Origin, such as http://127.0.0.1:40000. */
  origin: string;
  /** The Range header of each request so far; undefined where there was none. */
  ranges: (string | undefined)[];
  /** The If-Range header of each request so far. */
  ifRanges: (string | undefined)[];
  /** Bytes of bodies handed to the sockets so far. */
  sentBytes: () => number;
  /** Breaks every open connection. */
  breakConnections: () => void;
  close: () => Promise<void>;
}

export type Route = (request: IncomingMessage, response: ServerResponse, attempt: number) => void;

/** Starts the server; `attempt` counts requests from 1. */
export async function startLoopbackServer(route: Route): Promise<LoopbackServer> {
  const ranges: (string | undefined)[] = [];
  const ifRanges: (string | undefined)[] = [];
  let sentBytes = 0;
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    ifRanges.push(request.headers["if-range"] as string | undefined);
    const write = response.write.bind(response);
    response.write = ((chunk: Buffer, ...rest: never[]) => {
      sentBytes += chunk.length;
      return write(chunk, ...rest);
    }) as typeof response.write;
    route(request, response, ranges.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no TCP address.");
  return {
    origin: `http://127.0.0.1:${address.port}`,
    ranges,
    ifRanges,
    sentBytes: () => sentBytes,
    breakConnections: () => server.closeAllConnections(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface FileRouteOptions {
  etag?: string | undefined;
  /** The server ignores Range and always sends the whole. */
  ignoresRange?: boolean;
  /**
   * How many bytes of its body each attempt (from 1) sends before it falls silent, waiting to be broken; Infinity for
   * all.
   */
  bytesBeforeSilence?: (attempt: number) => number;
}

/** A route that serves `content` with ranges and If-Range, as a static file server does (RFC 9110, section 14). */
export function fileRoute(content: Buffer, options: FileRouteOptions = {}): Route {
  const { etag, ignoresRange = false, bytesBeforeSilence = () => Infinity } = options;
  return (request, response, attempt) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const ifRange = request.headers["if-range"];
    const partial = start > 0 && !ignoresRange && (ifRange === undefined || ifRange === etag);
    if (partial && start >= content.length) {
      response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
      return;
    }
    const body = partial ? content.subarray(start) : content;
    response.writeHead(partial ? 206 : 200, {
      "content-length": body.length,
      ...(etag === undefined ? {} : { etag }),
      ...(partial ? { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
    });
    const allowed = bytesBeforeSilence(attempt);
    response.write(body.subarray(0, Math.min(allowed, body.length)));
    if (allowed >= body.length) response.end();
  };
}
