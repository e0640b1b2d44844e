/** @file How much of a text a reward model can read at most, before the text is tokenised. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import type { ScoreInput } from "../contract/score-request.ts";

/**
 * Characters (UTF-16 units) that so many tokens have at most: each is at least one byte of UTF-8, and no token has more
 * bytes than `maxTokenBytes`. Text beyond them is cut or refused without being tokenised. Only characters that the
 * tokenizer drops make tokens reach further.
 */
export function mostCharacters(tokens: number, { maxTokenBytes }: Tokenizer): number {
  return tokens * maxTokenBytes;
}

/** The fewest tokens that so many characters come to. */
export function fewestTokens(characters: number, { maxTokenBytes }: Tokenizer): number {
  return Math.ceil(characters / maxTokenBytes);
}

/** @throws BonsaiError `context_length_exceeded` for an input that could not fit if every token were the longest one */
export function refuseUnreadable({ prompt, answer, param }: ScoreInput, mostTokens: number, tokenizer: Tokenizer): void {
  const characters = prompt.reduce((sum, { content }) => sum + content.length, answer.content.length);
  if (characters > mostCharacters(mostTokens, tokenizer)) throw tooLong(param, `${characters} characters`, mostTokens);
}

/** @param length of the input, with its unit */
export function tooLong(param: string, length: string, mostTokens: number): BonsaiError {
  return new BonsaiError(
    "context_length_exceeded",
    `${param} has ${length} and this model reads at most ${mostTokens} tokens: shorten it, or send truncate: true.`,
    { param },
  );
}

/** The last `most` characters of a text, or one less where half a character would be left. */
export function lastCharacters(text: string, most: number): string {
  if (text.length <= most) return text;
  const isHalf = /^[\uDC00-\uDFFF]/.test(text.slice(text.length - most));
  return text.slice(text.length - most + (isHalf ? 1 : 0));
}

/** The first `most` characters of a text, or one less where half a character would be left. */
export function firstCharacters(text: string, most: number): string {
  if (text.length <= most) return text;
  const isHalf = /[\uD800-\uDBFF]$/.test(text.slice(0, most));
  return text.slice(0, most - (isHalf ? 1 : 0));
}
