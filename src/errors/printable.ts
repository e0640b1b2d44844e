/** @file Text of strangers, such as names in a model file, made fit for a terminal and for one line of a log. */

/** Characters that move a cursor, break a line, or change the direction of what follows (Unicode UAX #9). */
const unprintable = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Longest text that is shown whole, and how much of a longer one is. */
const [longest, shownStart, shownEnd] = [4000, 1500, 500];

/**
 * The text with such characters as escapes, and without its middle where it is long: a file may have a key of a
 * megabyte.
 * @param keepLines whether line breaks and tabs stay
 */
export function printable(text: string, { keepLines = false }: { keepLines?: boolean | undefined } = {}): string {
  const shown =
    text.length <= longest
      ? text
      : `${text.slice(0, shownStart)} … (${text.length - shownStart - shownEnd} characters) … ${text.slice(-shownEnd)}`;
  return shown.replaceAll(unprintable, (character) =>
    keepLines && (character === "\n" || character === "\t") ? character : `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
