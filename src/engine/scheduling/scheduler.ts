/**
 * @file What the engine computes next: a pure decision over the requests that wait for the compute.
 *
 * Prefill chunks, decode steps and runs of reward models take turns, so a long prompt or list of documents slows
 * running answers down by one turn a token, and running answers keep others waiting for no more than one step. Cutting
 * prompts into chunks between decode steps is that of Sarathi-Serve (Agrawal et al. 2024, arXiv 2403.02310, section
 * 4.2).
 *
 * The prompt with the fewest chunks left, of all models, goes first: shortest remaining processing time,
 * which has the least mean time of all orders (Schrage 1968, "A proof of the optimality of the shortest remaining
 * processing time discipline"). It alone would starve long prompts, so every fourth chunk goes to the prompt that has
 * waited longest for one. Hence, counted in turns of prefill:
 *
 * - A prompt of c chunks is filled within 4/3 (c + s) + 2 turns, where s are the chunks of those prompts beside it that
 *   have c + 1 chunks or fewer. Longer prompts do not count, however long and however many.
 * - Each of P prompts has a chunk within every 4 P turns.
 *
 * Rows are shared by request, not by sequence: in a turn of decoding every request has as many rows as it can use, up
 * to a number that is the same for all (max-min fairness by progressive filling: Bertsekas and Gallager 1992, "Data
 * Networks", section 6.5.2). So a request of 64 sequences leaves its neighbours all the rows that they can use of their
 * equal shares, takes what they leave, and no row stays empty while one is ready. Admission opens no more requests than
 * there are rows: each has at least one. Within a request the first sequences go first, so that some are complete
 * early. A request whose reader is behind uses no row, and has its share again when it is ready.
 */

/** A request whose prompt is not filled yet. */
export interface PromptView<G> {
  generation: G;
  /** Chunks that are neither in its cache nor in the prefix cache; 0 where its rows only have to open. */
  chunksLeft: number;
  /** Turns of the engine before it was admitted, or until its last chunk was computed. */
  lastTurn: number;
}

export interface SchedulerView<G, R> {
  /** Oldest first. */
  prompts: readonly PromptView<G>[];
  /** The rows of each request that can step, first sequences first; oldest request first. */
  rows: readonly (readonly R[])[];
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
  const waiting = { prefill: prompts.length, decode: rows.flat().length, score: scoring };
  const after = last === "idle" ? 0 : turns.indexOf(last) + 1;
  const turn = [...turns.slice(after), ...turns.slice(0, after)].find((kind) => waiting[kind] > 0) ?? "idle";
  return {
    turn,
    prefill: turn === "prefill" ? nextPrompt(prompts, prefillTurns) : undefined,
    decode: turn === "decode" ? shareRows(rows, mostRows) : [],
  };
}

/** The shortest prompt, or at every fourth turn of prefill the one that has waited longest; the oldest of equals. */
function nextPrompt<G>(prompts: readonly PromptView<G>[], prefillTurns: number): G | undefined {
  const isAgedTurn = prefillTurns % agedShare === agedShare - 1;
  const rank = ({ chunksLeft, lastTurn }: PromptView<G>): number => (isAgedTurn ? lastTurn : chunksLeft);
  const [first] = prompts.toSorted((a, b) => rank(a) - rank(b));
  return first?.generation;
}

/** What remains of the division goes to the oldest of those that can use it. */
function shareRows<R>(requests: readonly (readonly R[])[], mostRows: number): R[] {
  let rowsLeft = mostRows;
  const fewestFirst = requests.toSorted((a, b) => a.length - b.length);
  return fewestFirst.flatMap((rows, at) => {
    const share = rows.slice(0, Math.ceil(rowsLeft / (fewestFirst.length - at)));
    rowsLeft -= share.length;
    return share;
  });
}
