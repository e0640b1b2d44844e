/** @file Servers over the scripted engine, for tests of the HTTP edge. */

import type { AddressInfo } from "node:net";
import { defaultConfig, type Config } from "../../src/config/options.ts";
import type { Engine } from "../../src/engine/contract/request.ts";
import { Router } from "../../src/engine/router.ts";
import { buildServer, type BonsaiServer, type LogDestination } from "../../src/server/build-server.ts";
import { ScriptedEngine, type ScriptedEngineOptions } from "./scripted-engine.ts";

/** What runs things after a test, or after all tests of a file: a test's context, or `{ after }` of node:test. */
export interface Cleanup {
  after: (action: () => Promise<void>) => void;
}

export interface Fixture extends BonsaiServer {
  engine: ScriptedEngine;
}

/** A server that is closed after the test; its log is silent unless the configuration says otherwise. */
export async function startFixture(
  t: Cleanup,
  config: Partial<Config> = {},
  engineOptions: ScriptedEngineOptions = {},
  log?: LogDestination,
): Promise<Fixture> {
  const engine = new ScriptedEngine(engineOptions);
  const server = await startServer(t, config, Promise.resolve(new Router([engine])), log);
  return { ...server, engine };
}

/** As above, over any engine, loaded or not. */
export async function startServer(
  t: Cleanup,
  config: Partial<Config>,
  engine: Promise<Engine>,
  log?: LogDestination,
): Promise<BonsaiServer> {
  const server = await buildServer(
    { ...defaultConfig(), logLevel: "silent", maxEventLoopDelayMs: 0, ...config },
    engine,
    "0.0.0-test",
    log,
  );
  t.after(async () => {
    server.fastify.server.closeAllConnections();
    await server.fastify.close();
  });
  await server.fastify.ready();
  // The engine's promise settles before the first request.
  await new Promise((resolve) => setImmediate(resolve));
  return server;
}

/** Listens on a free port of the loopback interface and gives the base URL. */
export async function listen(server: BonsaiServer): Promise<string> {
  await server.fastify.listen({ host: "127.0.0.1", port: 0 });
  return `http://127.0.0.1:${(server.fastify.server.address() as AddressInfo).port}`;
}

export const hello = { model: "scripted", messages: [{ role: "user", content: "Hello" }] };

/** The `data:` payloads of an event stream. */
export function dataOf(stream: string): string[] {
  return stream
    .split("\n\n")
    .filter((event) => event.startsWith("data: "))
    .map((event) => event.slice("data: ".length));
}
