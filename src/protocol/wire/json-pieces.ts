/** @file JSON text in pieces, so that writing a large value leaves room for other work between them. */

/** UTF-16 code units that a piece has at least, except the last one; JSON of this length takes about a millisecond. */
export const pieceLength = 64 * 1024;

/** The same text in pieces of at least `pieceLength`; the last may be shorter. */
export function* inPieces(parts: Iterable<string>): Generator<string, void, undefined> {
  let piece = "";
  for (const part of parts) {
    piece += part;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** The text that `JSON.stringify` makes of plain data, in parts: those of its members where they are large. */
export function* jsonParts(value: unknown): Generator<string, void, undefined> {
  if (typeof value !== "object" || value === null || remainingOf(pieceLength, value) >= 0) {
    yield JSON.stringify(value) ?? "null";
    return;
  }
  const isArray = Array.isArray(value);
  let before = isArray ? "[" : "{";
  for (const [key, member] of Object.entries(value)) {
    if (!isArray && member === undefined) continue;
    yield isArray ? before : `${before}${JSON.stringify(key)}:`;
    yield* jsonParts(member);
    before = ",";
  }
  yield isArray ? "]" : "}";
}

/** What is left of a budget of text after a value, roughly; negative as soon as it is used up. */
function remainingOf(budget: number, value: unknown): number {
  if (typeof value === "string") return budget - value.length;
  if (typeof value !== "object" || value === null) return budget - 8;
  let left = budget - 2;
  for (const key in value) {
    left = remainingOf(left - key.length, (value as Record<string, unknown>)[key]);
    if (left < 0) return left;
  }
  return left;
}
