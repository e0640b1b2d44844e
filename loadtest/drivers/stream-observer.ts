/** @file Fills in an observation from the pieces of an answer, whatever protocol carries them. */

import type { Observation } from "./observation.ts";

/** The measured fields of a piece of an answer: a chunk of a stream, or a frame of a socket. */
export interface AnswerPiece {
  choices?: { delta?: { content?: string | null } }[];
  usage?: { completion_tokens: number } | null;
  best_of?: { phase?: string; tokens_returned?: number; rewards?: { reward: number | null }[] };
  error?: { message: string };
}

export function emptyObservation(): Observation {
  return {
    status: 0,
    firstTokenMs: undefined,
    endToEndMs: 0,
    pieceMs: [],
    text: "",
    tokensGenerated: 0,
    tokensReturned: 0,
    reward: undefined,
    retryAfterSeconds: undefined,
    failure: undefined,
  };
}

/** @param atMs when it came, after the request was due */
export function observePiece({ choices, usage, best_of: bestOf, error }: AnswerPiece, atMs: number, seen: Observation): void {
  const content = choices?.[0]?.delta?.content;
  if (typeof content === "string" && content !== "") {
    seen.firstTokenMs ??= atMs;
    seen.pieceMs.push(atMs);
    seen.text += content;
  }
  if (usage != null) {
    seen.tokensGenerated = usage.completion_tokens;
    // Without candidates, everything that was generated comes back.
    if (seen.tokensReturned === 0) seen.tokensReturned = usage.completion_tokens;
  }
  // Events of progress do not say what came back.
  if (bestOf?.tokens_returned !== undefined) {
    seen.tokensReturned = bestOf.tokens_returned;
    seen.reward = bestOf.rewards?.[0]?.reward ?? undefined;
  }
  if (error !== undefined) seen.failure = error.message;
}
