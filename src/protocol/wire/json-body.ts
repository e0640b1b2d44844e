/** @file What is checked of JSON from strangers before it is parsed: that it is UTF-8, and not nested too deeply. */

import { isUtf8 } from "node:buffer";
import { BonsaiError } from "../../errors/bonsai-error.ts";

/**
 * Deepest nesting of a request. JSON.parse takes a hundred times as long for a body of brackets alone, and whatever
 * walks such a value by recursion runs out of stack.
 */
export const maxJsonDepth = 128;

const quote = 0x22;
const backslash = 0x5c;
/** Brackets and braces without the bit that tells them apart. */
const opening = 0x5b;
const closing = 0x5d;
const braceBit = 0x20;

/** Whether brackets are open at most `maxDepth` deep at any place of a JSON text, in time linear in its length. */
export function isNestedAtMost(maxDepth: number, json: Buffer): boolean {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (byte === quote) at = endOfString(json, at);
    // Digits, commas and spaces, which are most of what stands outside of texts.
    else if (byte < opening) continue;
    else if ((byte & ~braceBit) === opening && ++depth > maxDepth) return false;
    else if ((byte & ~braceBit) === closing) depth--;
  }
  return true;
}

/** The place of the quote that ends a string; the length of the text where none does. */
function endOfString(json: Buffer, start: number): number {
  for (let end = json.indexOf(quote, start + 1); end !== -1; end = json.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (json[end - 1 - escapes] === backslash) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return json.length;
}

/**
 * The text of a body or frame, ready to be parsed.
 * @param what how its sender names it, as the beginning of a sentence
 * @throws BonsaiError `invalid_request`
 */
export function checkedJsonText(json: Buffer, what: "The body" | "The frame"): string {
  if (!isUtf8(json)) throw new BonsaiError("invalid_request", `${what} is not UTF-8: JSON is sent in that encoding.`);
  if (!isNestedAtMost(maxJsonDepth, json))
    throw new BonsaiError("invalid_request", `${what} is nested more than ${maxJsonDepth} levels deep.`);
  return json.toString();
}
