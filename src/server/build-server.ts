/** @file The composition root: one Fastify server out of the configuration and an engine that may still be loading. */

import { fastify, LogController, type FastifyInstance } from "fastify";
import type { Config } from "../config/options.ts";
import type { Engine } from "../engine/contract/request.ts";
import { unsupportedKeyword } from "../protocol/wire/schema.ts";
import { BestOfServing } from "./generation/best-of.ts";
import type { ServerContext } from "./context.ts";
import { HttpConnections } from "./http-connections.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Metrics } from "./metrics.ts";
import { authenticate } from "./plugins/authentication.ts";
import { allowOrigins } from "./plugins/cross-origin.ts";
import { handleErrors, handleParserError, sendError } from "./plugins/errors.ts";
import { allowedHosts, checkHosts, hostRefusal, originForm } from "./plugins/host.ts";
import { parseJsonBodies } from "./plugins/json-body.ts";
import { observeRequests, redactedPaths, requestId } from "./plugins/observation.ts";
import { documentRoutes } from "./plugins/openapi.ts";
import { refuseUnderPressure } from "./plugins/pressure.ts";
import { acceptWebSockets, checkUpgrades } from "./plugins/web-socket.ts";
import { chatCompletionsRoute } from "./routes/chat-completions.ts";
import { chatSocketRoute } from "./routes/chat-socket.ts";
import { completionsRoute } from "./routes/completions.ts";
import { healthRoutes } from "./routes/health.ts";
import { metricsRoute } from "./routes/metrics.ts";
import { modelsRoutes } from "./routes/models.ts";
import { rerankRoute } from "./routes/rerank.ts";
import { ResponseStore } from "./responses/response-store.ts";
import { responsesRoute, responsesSocketRoute } from "./routes/responses.ts";
import { rootRoute } from "./routes/root.ts";
import { rewardsRoute } from "./routes/rewards.ts";
import { Connections } from "./sockets/connections.ts";

/** How often Node looks for requests that take too long to arrive. */
const connectionsCheckingIntervalMs = 5_000;

/** Longest time for a request's head to arrive. */
const headersTimeoutMs = 20_000;

/** Longest path segment that is a parameter, such as a model's id. */
const maxParamLength = 1024;

/** What takes the log: a line of JSON at a time. */
export interface LogDestination {
  write: (line: string) => void;
}

export interface BonsaiServer {
  fastify: FastifyInstance;
  lifecycle: Lifecycle;
  /**
   * Refuses new generations, lets running ones finish for the configured grace period, cuts the rest, and closes the
   * server. The engine stays open.
   * @returns Whether all generations finished by themselves.
   */
  shutDown(): Promise<boolean>;
}

/**
 * Builds the server. It can listen at once: until the engine's promise resolves, routes that need it answer 503
 * `loading`.
 * @param version The program's own version.
 * @param log Takes the log's lines; stdout when absent.
 */
export async function buildServer(config: Config, engine: Promise<Engine>, version: string, log?: LogDestination): Promise<BonsaiServer> {
  const hosts = allowedHosts(config);
  const server = fastify({
    logger:
      config.logLevel === "silent"
        ? false
        : { level: config.logLevel, redact: { paths: redactedPaths, censor: "[redacted]" }, ...(log === undefined ? {} : { stream: log }) },
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestId,
    bodyLimit: config.bodyLimitBytes,
    requestTimeout: config.requestTimeoutSeconds * 1000,
    routerOptions: { maxParamLength },
    rewriteUrl: ({ url = "/" }) => originForm(url),
    // Requests that come while the server closes are refused as those before it were.
    return503OnClosing: false,
    http: {
      maxHeaderSize: config.headerLimitBytes,
      headersTimeout: Math.min(headersTimeoutMs, config.requestTimeoutSeconds * 1000),
      connectionsCheckingInterval: connectionsCheckingIntervalMs,
      // `checkHosts` refuses it with a body that says what is missing.
      requireHostHeader: false,
    },
    clientErrorHandler: handleParserError,
    frameworkErrors: (error, request, reply) => {
      sendError(request, reply, hostRefusal(request, hosts) ?? error);
    },
    // Values are taken as they are: nothing is coerced, filled in or left out behind the client's back.
    ajv: {
      customOptions: {
        coerceTypes: false,
        useDefaults: false,
        removeAdditional: false,
        allErrors: false,
        verbose: true,
        allowUnionTypes: true,
        keywords: [unsupportedKeyword],
      },
    },
  });
  server.setSerializerCompiler(() => (value) => JSON.stringify(value));
  parseJsonBodies(server);

  const httpConnections = new HttpConnections(server.server);
  const lifecycle = new Lifecycle(engine);
  const metrics = new Metrics(lifecycle);
  const context: ServerContext = {
    config,
    version,
    lifecycle,
    metrics,
    bestOf: new BestOfServing(config, metrics),
    connections: new Connections(server, config, lifecycle, metrics),
    responses: new ResponseStore({ maxBytes: config.responseStoreBytes, lifetimeMs: config.responseLifetimeSeconds * 1000 }),
  };

  lifecycle.draining.addEventListener("abort", () => httpConnections.closeIdle());
  await acceptWebSockets(server, context);
  server.addHook("preClose", () => httpConnections.closeAll());
  handleErrors(server);
  observeRequests(server, context);
  checkHosts(server, hosts);
  await allowOrigins(server, config.corsOrigin);
  authenticate(server, config.apiKey);
  checkUpgrades(server, context);
  server.addHook("onRequest", async (request) => {
    if (request.routeOptions.config.generates === true) lifecycle.requireEngine();
  });
  await refuseUnderPressure(server, config.maxEventLoopDelayMs);
  await documentRoutes(server, version);

  rootRoute(server, context);
  healthRoutes(server, context);
  metricsRoute(server, context);
  modelsRoutes(server, context);
  chatCompletionsRoute(server, context);
  chatSocketRoute(server, context);
  completionsRoute(server, context);
  responsesRoute(server, context);
  responsesSocketRoute(server, context);
  rewardsRoute(server, context);
  rerankRoute(server, context);

  return {
    fastify: server,
    lifecycle,
    shutDown: async () => {
      const complete = await lifecycle.drain(config.shutdownGraceSeconds * 1000);
      await server.close();
      return complete;
    },
  };
}
