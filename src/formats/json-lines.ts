/** @file Reads JSON Lines files in pieces, with a bound on a line, and hashes what it read. */

import { createHash } from "node:crypto";
import { isUtf8 } from "node:buffer";

import { BonsaiError } from "../errors/bonsai-error.ts";
import { BoundedFile } from "./bounded-file.ts";
import { isJsonObject, placeOfJsonError, type JsonObject } from "./json-file.ts";

/**
 * Far more than a conversation: a line that is longer is no row, and a file without line ends is not read into memory.
 */
export const longestLineBytes = 16 * 2 ** 20;
const pieceBytes = 2 ** 20;
const lineFeed = 0x0a;

/** One row and where it stands. */
export interface JsonLine {
  /** Counted from 1. */
  line: number;
  row: JsonObject;
}

/** What was read, once all of it was. */
export interface ReadFile {
  path: string;
  rows: number;
  bytes: number;
  /** SHA-256 of the whole file, hex. */
  sha256: string;
}

/**
 * Every row of a file, in order; blank lines are passed over. The generator returns what the file was.
 * @throws BonsaiError `file_not_found`; `invalid_dataset` naming file and line, where a line is too long or no JSON
 * object.
 */
export function* readJsonLines(path: string): Generator<JsonLine, ReadFile> {
  const file = new BoundedFile(path);
  try {
    const hash = createHash("sha256");
    let rest: Uint8Array = new Uint8Array(0);
    let line = 0;
    let rows = 0;
    for (let offset = 0; offset < file.size; offset += pieceBytes) {
      const piece = file.read(offset, Math.min(pieceBytes, file.size - offset), "the rows");
      hash.update(piece);
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      let start = 0;
      for (let end = bytes.indexOf(lineFeed, rest.length); end !== -1; end = bytes.indexOf(lineFeed, start)) {
        const row = parseLine(path, ++line, bytes.subarray(start, end));
        if (row !== undefined) {
          rows++;
          yield { line, row };
        }
        start = end + 1;
      }
      rest = bytes.subarray(start);
      if (rest.length > longestLineBytes) throw lineError(path, line + 1, `is longer than ${longestLineBytes} bytes`);
    }
    const last = rest.length === 0 ? undefined : parseLine(path, ++line, rest);
    if (last !== undefined) {
      rows++;
      yield { line, row: last };
    }
    return { path, rows, bytes: file.size, sha256: hash.digest("hex") };
  } finally {
    file.close();
  }
}

function lineError(path: string, line: number, problem: string, cause?: unknown): BonsaiError {
  return new BonsaiError("invalid_dataset", `${path}:${line} ${problem}; a line must be one JSON object, such as {"text": "…"}.`, {
    cause,
  });
}

/** Undefined for a blank line. */
function parseLine(path: string, line: number, bytes: Uint8Array): JsonObject | undefined {
  if (!isUtf8(bytes)) throw lineError(path, line, "is not UTF-8");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString("utf8")
    .replace(/^\uFEFF/, "");
  if (text.trim() === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw lineError(path, line, `is not JSON${placeOfJsonError(cause)}`, cause);
  }
  if (isJsonObject(value)) return value;
  throw lineError(path, line, Array.isArray(value) ? "is a JSON array" : "is no JSON object");
}
