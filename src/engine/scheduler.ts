/** @file What the engine does next: a pure decision over what waits for the compute. */

export interface SchedulerView {
  /** Requests whose prompts are not filled yet, oldest first. */
  prefilling: number;
  /** Rows that can take a decode step. */
  decoding: number;
  /** What was done last. */
  last: Action;
}

export type Action = "prefill" | "decode" | "idle";

/**
 * Prefill chunks and decode steps alternate while there are both: a long prompt slows running answers down by one chunk a token, and
 * running answers never keep a prompt waiting for more than one step.
 */
export function nextAction(view: SchedulerView): Action {
  if (view.prefilling === 0) return view.decoding === 0 ? "idle" : "decode";
  if (view.decoding === 0) return "prefill";
  return view.last === "prefill" ? "decode" : "prefill";
}
