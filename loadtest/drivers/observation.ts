/** @file What a client observes of one request. Every driver fills it in, whatever protocol it speaks. */

export interface Observation {
  /** HTTP status; 0 when no answer came. */
  status: number;
  /**
   * Milliseconds from when the request was due to the first token of the answer that was chosen; undefined without one.
   */
  firstTokenMs: number | undefined;
  /** Milliseconds from when the request was due to the end of its answer. */
  endToEndMs: number;
  /** Milliseconds from when the request was due to each piece of the answer's text. */
  pieceMs: number[];
  text: string;
  tokensGenerated: number;
  /** Tokens of the answer that came back. */
  tokensReturned: number;
  /** Reward of the chosen answer, by the reward model that chose it. */
  reward: number | undefined;
  /** Retry-After of a refusal, seconds. */
  retryAfterSeconds: number | undefined;
  /** Why the request failed; undefined for a whole answer and for a refusal. */
  failure: string | undefined;
}

/** Asks once. @param dueMs performance.now() when the request was due, from which its times count */
export type Driver = (url: string, body: unknown, dueMs: number, signal: AbortSignal) => Promise<Observation>;

/** Whether the server refused the request because of load, which is no failure. */
export function isRefused({ status }: Observation): boolean {
  return status === 429;
}

/** Whether the whole answer came. */
export function isAnswered({ status, failure }: Observation): boolean {
  return status === 200 && failure === undefined;
}
