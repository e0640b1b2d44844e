/** @file Writes the log-probabilities of completions as parallel lists over tokens. */

import type { CompletionLogprobs } from "../../wire/completions/logprobs.ts";

/** A token of the prompt or of the answer. */
export interface ScoredToken {
  token: string;
  bytes: readonly number[];
  logprob: number | null;
  top: readonly { token: string; bytes: readonly number[]; logprob: number }[];
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A token's text, or its bytes as OpenAI wrote those that are part of a character: `bytes:\xe2\x82`. */
function tokenText(token: string, bytes: readonly number[]): string {
  try {
    decoder.decode(Uint8Array.from(bytes));
    return token;
  } catch {
    return `bytes:${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
  }
}

/** Writes the lists of one choice, piece by piece, with offsets that run on from piece to piece. */
export class CompletionLogprobsWriter {
  /** Characters whose first byte has been seen. */
  #characters = 0;

  /** The lists for the next tokens. */
  write(tokens: readonly ScoredToken[]): CompletionLogprobs {
    const lists: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    for (const { token, bytes, logprob, top } of tokens) {
      const continues = bytes.length > 0 && isContinuation(bytes[0]!);
      lists.tokens.push(tokenText(token, bytes));
      lists.token_logprobs.push(logprob);
      lists.top_logprobs.push(
        logprob === null ? null : Object.fromEntries(top.map((other) => [tokenText(other.token, other.bytes), other.logprob])),
      );
      lists.text_offset.push(Math.max(0, continues ? this.#characters - 1 : this.#characters));
      this.#characters += bytes.reduce((count, byte) => count + (isContinuation(byte) ? 0 : 1), 0);
    }
    return lists;
  }
}

/** Adds the lists of a later piece to those of the earlier ones. */
export function appendLogprobs(lists: CompletionLogprobs, piece: CompletionLogprobs): void {
  piece.tokens.forEach((token, place) => {
    lists.tokens.push(token);
    lists.token_logprobs.push(piece.token_logprobs[place]!);
    lists.top_logprobs.push(piece.top_logprobs[place]!);
    lists.text_offset.push(piece.text_offset[place]!);
  });
}

/** Whether a byte goes on with a character that an earlier byte began (RFC 3629, section 3). */
const isContinuation = (byte: number): boolean => (byte & 0b1100_0000) === 0b1000_0000;
