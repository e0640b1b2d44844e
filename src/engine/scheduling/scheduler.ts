/** @file What the engine does next: a pure decision over what waits for the compute. */

export interface SchedulerView {
  /** Requests whose prompts are not filled yet, oldest first. */
  prefilling: number;
  /** Rows that can take a decode step. */
  decoding: number;
  /** Requests of reward models. */
  scoring: number;
  /** What was done last. */
  last: Action;
}

export type Action = "prefill" | "decode" | "score" | "idle";

const turns = ["prefill", "decode", "score"] as const satisfies readonly Action[];

/**
 * Prefill chunks, decode steps and runs of reward models take turns where there are several: a long prompt or list of documents slows running
 * answers down by one chunk or run a token, and running answers never keep others waiting for more than one step.
 */
export function nextAction(view: SchedulerView): Action {
  const waiting = { prefill: view.prefilling, decode: view.decoding, score: view.scoring };
  const after = view.last === "idle" ? 0 : turns.indexOf(view.last) + 1;
  return [...turns.slice(after), ...turns.slice(0, after)].find((action) => waiting[action] > 0) ?? "idle";
}
