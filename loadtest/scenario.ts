/** @file What every scenario is: a name, the server that it needs, and what it does to it. */

import type { Message } from "../src/text/conversation/message.ts";
import type { Plan } from "./plan.ts";

export interface ScenarioContext {
  /** Of the server that runs with the scenario's flags. */
  url: string;
  pid: number;
  plan: Plan;
  /** At least as many as any scenario asks for, in a fixed order. */
  prompts: readonly Message[][];
  signal: AbortSignal;
  /** The result of a scenario that came before. */
  resultOf: (id: string) => unknown;
}

/** Results are plain JSON: they are kept, and read back by the next run. */
export interface Scenario {
  /** Names its result. */
  id: string;
  /** Flags of `bonsai serve`: scenarios with the same flags share a server. */
  flags: readonly string[];
  run: (context: ScenarioContext) => Promise<unknown>;
}
