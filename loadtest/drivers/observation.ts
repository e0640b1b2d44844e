/** @file What one request showed its client. Every driver fills it in, whatever protocol it speaks. */

export interface Observation {
  /** HTTP status; 0 when no answer came. */
  status: number;
  /** Milliseconds from when the request was due to the first token of the answer that was chosen; undefined without one. */
  firstTokenMs: number | undefined;
  /** From when the request was due to the end of its answer. */
  endToEndMs: number;
  /** When pieces of the answer came, after it was due. */
  pieceMs: number[];
  text: string;
  tokensGenerated: number;
  /** Of the answer that came back. */
  tokensReturned: number;
  /** Of the answer that was chosen, by the reward model that chose it. */
  reward: number | undefined;
  /** Seconds that a refusal asks to wait. */
  retryAfterSeconds: number | undefined;
  /** Why the request failed; undefined for a whole answer and for a refusal. */
  failure: string | undefined;
}

/** Asks once. @param dueMs performance.now() when the request was due, from which its times count */
export type Driver = (url: string, body: unknown, dueMs: number, signal: AbortSignal) => Promise<Observation>;

/** Refused for load, which is an answer and no failure. */
export function isRefused({ status }: Observation): boolean {
  return status === 429;
}

export function isAnswered({ status, failure }: Observation): boolean {
  return status === 200 && failure === undefined;
}
