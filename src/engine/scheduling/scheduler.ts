/**
 * @file What the engine computes next: a pure decision over the requests that wait for the compute.
 *
 * Prefill chunks, decode steps and runs of reward models take turns, so a long prompt or list of documents slows running
 * answers down by one turn a token, and running answers keep others waiting for no more than one step. Cutting prompts
 * into chunks between decode steps is that of Sarathi-Serve (Agrawal et al. 2024, arXiv 2403.02310, section 4.2).
 *
 * Of the prompts of all models, the one with the fewest chunks left goes first: shortest remaining processing time, which
 * has the least mean time of all orders (Schrage 1968, "A proof of the optimality of the shortest remaining processing
 * time discipline"). It alone would starve long prompts, so every fourth chunk goes to the prompt that has waited longest
 * for one. Hence, counted in turns of prefill:
 *
 * - A prompt of c chunks is filled within 4/3 (c + s) + 2 turns, where s are the chunks of those prompts beside it that
 *   have c + 1 chunks or fewer. Longer prompts do not count, however long and however many.
 * - Each of P prompts has a chunk within every 4 P turns.
 */

/** A request whose prompt is not filled yet. */
export interface PromptView<G> {
  generation: G;
  /** Chunks that are neither in its cache nor in the prefix cache; 0 where its rows only have to open. */
  chunksLeft: number;
  /** Turns of the engine before it was admitted, or until its last chunk was computed. */
  lastTurn: number;
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
  /** Turns of prefill so far. */
  prefillTurns: number;
  /** Most rows that step in one turn. */
  mostRows: number;
}

export type Turn = "prefill" | "decode" | "score" | "idle";

/** What one turn computes. */
export interface TurnPlan<G, R> {
  turn: Turn;
  /** The request whose prompt gets its next chunk, in a turn of prefill. */
  prefill: G | undefined;
  /** Rows that step together, in a turn of decoding. */
  decode: R[];
}

const turns = ["prefill", "decode", "score"] as const satisfies readonly Turn[];

/** One chunk of so many goes to the prompt that has waited longest. */
const agedShare = 4;

/** "idle" is the plan where no work is ready. */
export function planTurn<G, R>({ prompts, rows, scoring, last, prefillTurns, mostRows }: SchedulerView<G, R>): TurnPlan<G, R> {
  const ready = rows.filter(({ isReady }) => isReady);
  const waiting = { prefill: prompts.length, decode: ready.length, score: scoring };
  const after = last === "idle" ? 0 : turns.indexOf(last) + 1;
  const turn = [...turns.slice(after), ...turns.slice(0, after)].find((kind) => waiting[kind] > 0) ?? "idle";
  return {
    turn,
    prefill: turn === "prefill" ? nextPrompt(prompts, prefillTurns) : undefined,
    decode: turn === "decode" ? nextRows(ready, mostRows) : [],
  };
}

/** The shortest prompt, or at every fourth turn of prefill the one that has waited longest; the oldest of equals. */
function nextPrompt<G>(prompts: readonly PromptView<G>[], prefillTurns: number): G | undefined {
  const isAgedTurn = prefillTurns % agedShare === agedShare - 1;
  const rank = ({ chunksLeft, lastTurn }: PromptView<G>): number => (isAgedTurn ? lastTurn : chunksLeft);
  const [first] = prompts.toSorted((a, b) => rank(a) - rank(b));
  return first?.generation;
}

/** All rows, or those that have waited longest. */
function nextRows<R>(ready: readonly RowView<R>[], mostRows: number): R[] {
  const chosen = ready.length <= mostRows ? ready : ready.toSorted((a, b) => a.lastTurn - b.lastTurn).slice(0, mostRows);
  return chosen.map(({ row }) => row);
}
