/**
 * @file What the engine computes next: a pure decision over the requests that wait for the compute, within a budget.
 */

/** A request whose prompt is not filled yet. */
export interface PromptView<G> {
  generation: G;
  /** Tokens that are not in its cache yet; 0 for a prompt of one token, whose rows can open. */
  tokensLeft: number;
  /** Tokens of one chunk. */
  chunkTokens: number;
}

/** A sequence that decodes. */
export interface RowView<R> {
  row: R;
  /**
   * False while its grammar is compiled or its reader is behind: it takes no step, and the others do not wait for it.
   */
  isReady: boolean;
  /** Number of the turn in which it took its last step; -1 before the first. */
  lastTurn: number;
}

export interface SchedulerView<G, R> {
  /** Oldest first. */
  prompts: readonly PromptView<G>[];
  rows: readonly RowView<R>[];
  /** Requests of reward models. */
  scoring: number;
  /** The kind of the last turn. */
  last: Turn;
}

export interface TurnBudget {
  /** Most chunks of prompts in one turn. */
  chunks: number;
  /** Most rows that step in one turn. */
  rows: number;
}

export type Turn = "prefill" | "decode" | "score" | "idle";

/** What one turn computes; a list that is not of the turn's kind is empty. */
export interface TurnPlan<G, R> {
  turn: Turn;
  /** The next tokens of each prompt. */
  prefill: { generation: G; tokens: number }[];
  /** Rows that step together. */
  decode: R[];
}

const turns = ["prefill", "decode", "score"] as const satisfies readonly Turn[];

/**
 * Prefill chunks, decode steps and runs of reward models take turns: a long prompt or list of documents slows running
 * answers down by one turn a token, and running answers never keep others waiting for more than one step. "idle" is the
 * plan where no work is ready.
 */
export function planTurn<G, R>({ prompts, rows, scoring, last }: SchedulerView<G, R>, budget: TurnBudget): TurnPlan<G, R> {
  const ready = rows.filter(({ isReady }) => isReady);
  const waiting = { prefill: prompts.length, decode: ready.length, score: scoring };
  const after = last === "idle" ? 0 : turns.indexOf(last) + 1;
  const turn = [...turns.slice(after), ...turns.slice(0, after)].find((kind) => waiting[kind] > 0) ?? "idle";
  return {
    turn,
    prefill: turn === "prefill" ? nextChunks(prompts, budget) : [],
    decode: turn === "decode" ? nextRows(ready, budget) : [],
  };
}

/** One chunk of each of the oldest prompts. */
function nextChunks<G>(prompts: readonly PromptView<G>[], { chunks }: TurnBudget): TurnPlan<G, never>["prefill"] {
  return prompts
    .slice(0, chunks)
    .map(({ generation, tokensLeft, chunkTokens }) => ({ generation, tokens: Math.min(tokensLeft, chunkTokens) }));
}

/** All rows, or those that have waited longest. */
function nextRows<R>(ready: readonly RowView<R>[], { rows }: TurnBudget): R[] {
  const chosen = ready.length <= rows ? ready : ready.toSorted((a, b) => a.lastTurn - b.lastTurn).slice(0, rows);
  return chosen.map(({ row }) => row);
}
