/** @file What the plugins and routes of one server share, and the marks that a route sets for them. */

import type { Config } from "../config/options.ts";
import type { BestOfServing } from "./generation/best-of.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Metrics } from "./metrics.ts";
import type { ResponseStore } from "./responses/response-store.ts";
import type { Connections } from "./sockets/connections.ts";

export interface ServerContext {
  config: Config;
  /** The program's own version. */
  version: string;
  lifecycle: Lifecycle;
  metrics: Metrics;
  bestOf: BestOfServing;
  connections: Connections;
  responses: ResponseStore;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Tells clients apart: the digest of the key that the request came with; empty where the server asks for none. */
    client: string;
  }
  interface FastifyContextConfig {
    /** Answers without a key. */
    isPublic?: boolean;
    /** Costs the engine work: refused while loading, draining or under pressure. */
    generates?: boolean;
  }
}
