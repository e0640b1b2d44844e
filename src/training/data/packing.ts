/** @file Rows of equal length from documents: one each, best-fit decreasing, or one stream wrapped at the row's end. */

/** How documents become rows. TRL's names for the two ways to pack (`packing_strategy`). */
export const packings = ["none", "bfd", "wrapped"] as const;
export type Packing = (typeof packings)[number];

/** Lengths of rows are multiples of this, which suits matrix products. */
const lengthMultiple = 16;

/** The length to which rows are padded, by the longest of them. */
export function paddedLength(longest: number): number {
  return Math.ceil(longest / lengthMultiple) * lengthMultiple;
}

/** Places [start, end) of a document as inputs; each predicts the token after it. */
export interface Piece {
  document: number;
  start: number;
  end: number;
}

/** The pieces of one row, in order. */
export type Row = readonly Piece[];

/**
 * Lays documents out in rows of at most `capacity` places. A document of n tokens takes n - 1 places, since its last
 * token is only predicted. Rows come in the order of their first documents.
 * @param lengths Tokens of each document, at least 2; for "none" and "bfd" at most capacity + 1.
 */
export function packRows(lengths: readonly number[], capacity: number, packing: Packing): Row[] {
  const whole = (document: number): Piece => ({ document, start: 0, end: lengths[document]! - 1 });
  if (packing === "none") return lengths.map((_, document) => [whole(document)]);
  if (packing === "wrapped") return wrap(lengths, capacity);
  const rows = bestFitDecreasing(
    lengths.map((length) => length - 1),
    capacity,
  );
  return rows.map((row) => row.map(whole));
}

/**
 * Best-fit decreasing bin packing (Ding et al. 2024, "Fewer truncations improve language modeling", as in TRL): longest
 * first, each into the row where it leaves the least space. Never more than 11/9 of the fewest rows, and one.
 * @returns the documents of each row in ascending order, rows by their first document.
 */
export function bestFitDecreasing(sizes: readonly number[], capacity: number): number[][] {
  const order = [...sizes.keys()].toSorted((a, b) => sizes[b]! - sizes[a]! || a - b);
  /** Rows by the space that is left in them. */
  const bySpace = Array.from<number[][]>({ length: capacity + 1 });
  const rows: number[][] = [];
  for (const document of order) {
    const size = sizes[document]!;
    if (size > capacity) throw new RangeError(`document ${document} takes ${size} places of a row of ${capacity}`);
    let space = size;
    while (space <= capacity && (bySpace[space]?.length ?? 0) === 0) space++;
    const row = space <= capacity ? bySpace[space]!.pop()! : [];
    if (row.length === 0) rows.push(row);
    row.push(document);
    const left = Math.min(space, capacity) - size;
    (bySpace[left] ??= []).push(row);
  }
  for (const row of rows) row.sort((a, b) => a - b);
  return rows.toSorted((a, b) => a[0]! - b[0]!);
}

/** One item a row, or as many as fit, best-fit decreasing. */
export function layOutRows(sizes: readonly number[], isPacked: boolean, capacity: number): number[][] {
  return isPacked ? bestFitDecreasing(sizes, capacity) : sizes.map((_, index) => [index]);
}

/**
 * All documents as one stream, cut every `capacity` places: what is cut goes on in the next row, as a document of its
 * own.
 */
function wrap(lengths: readonly number[], capacity: number): Row[] {
  const rows: Piece[][] = [];
  let row: Piece[] = [];
  let space = capacity;
  for (const [document, length] of lengths.entries()) {
    for (let start = 0; start < length - 1;) {
      const end = Math.min(length - 1, start + space);
      row.push({ document, start, end });
      space -= end - start;
      start = end;
      if (space > 0) continue;
      rows.push(row);
      row = [];
      space = capacity;
    }
  }
  if (row.length > 0) rows.push(row);
  return rows;
}

/**
 * Advice for rows that are mostly padding; undefined where packing would gain little.
 * @param filled share of places that hold a token
 */
export function packingAdvice(filled: number, items: string): string | undefined {
  if (filled >= 0.7) return undefined;
  return `The rows are filled to ${Math.round(100 * filled)}%: --packing trains on more ${items} in the same time.`;
}
