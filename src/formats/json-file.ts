/** @file JSON files of a model folder: read with a limit on their size, and checked to be objects. */

import { isUtf8 } from "node:buffer";

import { BonsaiError } from "../errors/bonsai-error.ts";
import { BoundedFile } from "./bounded-file.ts";

export type JsonObject = Record<string, unknown>;

/** Whether a parsed value is an object, not an array or null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A UTF-8 text file of at most `largestBytes`.
 * @throws BonsaiError `file_not_found`, or `invalid_model_file` when it is too large or not UTF-8.
 */
export function readTextFile(path: string, largestBytes: number): string {
  const file = new BoundedFile(path);
  try {
    if (file.size > largestBytes)
      throw new BonsaiError("invalid_model_file", `${path} has ${file.size} bytes; at most ${largestBytes} are read of such a file.`);
    const bytes = file.read(0, file.size, "the text");
    if (!isUtf8(bytes)) throw new BonsaiError("invalid_model_file", `${path} is not UTF-8.`);
    return Buffer.from(bytes.buffer).toString("utf8");
  } finally {
    file.close();
  }
}

/**
 * A JSON file of at most `largestBytes` whose top level is an object.
 * @throws BonsaiError `file_not_found`, or `invalid_model_file` when it is too large, not JSON or not an object.
 */
export function readJsonObject(path: string, largestBytes: number): JsonObject {
  const text = readTextFile(path, largestBytes);
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text);
  } catch (error) {
    throw new BonsaiError("invalid_model_file", `${path} is not JSON${placeOfJsonError(error)}.`);
  }
  if (!isJsonObject(value)) throw new BonsaiError("invalid_model_file", `${path} is not a JSON object.`);
  return value;
}

/** Where JSON.parse failed, as words to append. Its own message quotes the text, which is not for everybody to read. */
export function placeOfJsonError(error: unknown): string {
  const position = /at position (\d+)/.exec((error as Error).message)?.[1];
  return position === undefined ? "" : ` (at character ${position})`;
}

/**
 * What JSON.parse does not report about an object's text: its deepest nesting and the first key that occurs twice at
 * the top level (of which JSON.parse silently keeps the last). Malformed text gives some answer and no error.
 */
export function inspectJson(text: string): { depth: number; duplicateKey: string | undefined } {
  const keys = new Set<string>();
  let duplicateKey: string | undefined;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth);
    else if (character === "}" || character === "]") depth--;
    else if (character === '"') {
      const end = endOfString(text, at);
      if (depth === 1 && duplicateKey === undefined && isFollowedByColon(text, end)) {
        const key = parsedKey(text.slice(at, end));
        if (keys.has(key)) duplicateKey = key;
        keys.add(key);
      }
      at = end - 1;
    }
  }
  return { depth: deepest, duplicateKey };
}

/** The index after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return Math.min(at + 1, text.length);
}

function isFollowedByColon(text: string, from: number): boolean {
  let at = from;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at++;
  return text[at] === ":";
}

/** Two spellings of one key (`"a"` and `"\u0061"`) are the same key. */
function parsedKey(literal: string): string {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return literal; // malformed: JSON.parse of the whole will say so
  }
}
