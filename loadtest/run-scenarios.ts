/**
 * @file Runs scenarios one after the other, each on a server with its flags, and keeps each result as soon as it is
 * there.
 */

import { setMaxListeners } from "node:events";
import { buildProgram, startBonsai, type ServerProcess } from "./measurement/server-process.ts";
import type { Message } from "../src/text/conversation/message.ts";
import type { KeptResults } from "./kept-results.ts";
import type { Plan } from "./plan.ts";
import type { Scenario } from "./scenario.ts";
import { warmUp } from "./warm-up.ts";

export interface RunSettings {
  plan: Plan;
  prompts: readonly Message[][];
  signal: AbortSignal;
  kept: KeptResults;
  say: (line: string) => void;
  /** Serve the sources instead of compiling them first: for tests, which may run while others compile. */
  fromSource: boolean;
}

/**
 * @returns results by the scenarios' ids.
 * @throws the signal's reason when it is aborted; the server is stopped in any case.
 */
export async function runScenarios(scenarios: readonly Scenario[], settings: RunSettings): Promise<Map<string, unknown>> {
  const { plan, prompts, signal, kept, say } = settings;
  setMaxListeners(0, signal);
  const results = new Map<string, unknown>();
  const resultOf = (id: string): unknown => results.get(id) ?? kept.read(id);
  const server = new CurrentServer(settings);
  try {
    for (const [place, scenario] of scenarios.entries()) {
      const { id, flags, run } = scenario;
      const label = `[${place + 1}/${scenarios.length}] ${id}`;
      const known = kept.read(id);
      if (known !== undefined) {
        say(`${label}: measured before`);
        results.set(id, known);
        continue;
      }
      signal.throwIfAborted();
      const { url } = await server.with(flags);
      const startMs = performance.now();
      const result = await run({ url, plan, prompts, signal, resultOf });
      signal.throwIfAborted();
      kept.keep(id, result);
      results.set(id, result);
      say(`${label}: ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
    }
  } finally {
    await server.stop();
  }
  return results;
}

/** The running server; at most one runs at a time. */
class CurrentServer {
  readonly #settings: RunSettings;
  #running: { flags: string; server: ServerProcess } | undefined;
  #isBuilt = false;

  constructor(settings: RunSettings) {
    this.#settings = settings;
  }

  /** A warm server with these flags. */
  async with(flags: readonly string[]): Promise<ServerProcess> {
    const wanted = flags.join(" ");
    if (this.#running?.flags === wanted) return this.#running.server;
    await this.stop();
    const server = await this.#start(flags);
    this.#settings.say(`Serving on ${server.url}: ${wanted}`);
    this.#running = { flags: wanted, server };
    await warmUp(server.url, this.#settings.prompts[0]!, this.#settings.signal);
    return server;
  }

  async #start(flags: readonly string[]): Promise<ServerProcess> {
    if (this.#settings.fromSource) return startBonsai(flags, "source");
    if (!this.#isBuilt) buildProgram();
    this.#isBuilt = true;
    return startBonsai(flags);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.server.stop();
  }
}
