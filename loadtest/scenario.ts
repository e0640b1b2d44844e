/** @file A scenario of the load test: its id, the server that it needs, and the requests that it sends. */

import type { Message } from "../src/text/conversation/message.ts";
import type { Plan } from "./plan.ts";

export interface ScenarioContext {
  /** The address of the server that runs with the scenario's flags. */
  url: string;
  plan: Plan;
  /** At least as many as any scenario asks for, in a fixed order. */
  prompts: readonly Message[][];
  signal: AbortSignal;
  /** The result of an earlier scenario. */
  resultOf: (id: string) => unknown;
}

/** Results are plain JSON: they are kept, and read back by the next run. */
export interface Scenario {
  /** The name of its result. */
  id: string;
  /** Flags of `bonsai serve`: scenarios with the same flags share a server. */
  flags: readonly string[];
  run: (context: ScenarioContext) => Promise<unknown>;
}
