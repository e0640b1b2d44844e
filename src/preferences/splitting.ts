/**
 * @file Splits of preference rows in which nothing leaks: rows that share a prompt, a topic or a text stand on one side
 * together, also where they are linked through others.
 */

import { createHash } from "node:crypto";
import { draw } from "../random/seeded-draw.ts";

/** A share of the rows that is wanted on a side; the first side takes what the others leave. */
export interface WantedSide {
  name: string;
  /** In (0, 1). */
  share: number;
}

/** Rows of one side together: indices, in order. */
export interface RowGroup {
  rows: number[];
  /** Names the group, whatever order its rows are in. */
  key: string;
}

/**
 * Rows that are linked by a key that they share, directly or through other rows.
 * @param keys of each row: what may stand on one side only
 */
export function linkedGroups(keys: readonly (readonly string[])[]): RowGroup[] {
  const parents = keys.map((_, row) => row);
  const rootOf = (row: number): number => {
    let root = row;
    while (parents[root] !== root) root = parents[root]!;
    // Later walks are short.
    for (let at = row; at !== root;) [at, parents[at]] = [parents[at]!, root];
    return root;
  };
  const firstWith = new Map<string, number>();
  for (const [row, own] of keys.entries()) {
    for (const key of own) {
      const first = firstWith.get(key);
      if (first === undefined) firstWith.set(key, row);
      else parents[rootOf(row)] = rootOf(first);
    }
  }
  const groups = new Map<number, RowGroup>();
  for (const [row, own] of keys.entries()) {
    const root = rootOf(row);
    const group = groups.get(root) ?? { rows: [], key: own[0] ?? "" };
    group.rows.push(row);
    for (const key of own) if (key < group.key) group.key = key;
    groups.set(root, group);
  }
  return [...groups.values()];
}

/**
 * The side of each row: 0, or 1 + the place of a wanted side. Groups are dealt in an order that their keys and the seed
 * decide, so that the order of rows changes nothing: each to the side that lacks most of its share, unless that would
 * overfill it by more than it lacks now.
 */
export function splitRows(keys: readonly (readonly string[])[], wanted: readonly WantedSide[], seed: number): number[] {
  const sides = keys.map(() => 0);
  const rest = 1 - wanted.reduce((sum, { share }) => sum + share, 0);
  const targets = [rest, ...wanted.map(({ share }) => share)].map((share) => share * keys.length);
  const filled = targets.map(() => 0);
  const order = linkedGroups(keys)
    .map((group) => ({ group, place: draw(seed, "split", hashOf(group.key)) }))
    .toSorted((a, b) => a.place - b.place || (a.group.key < b.group.key ? -1 : 1));
  for (const { group } of order) {
    const size = group.rows.length;
    const lacks = targets.map((target, side) => target - filled[side]!);
    const shares = lacks.map((lack, side) => (side > 0 && size > 2 * lack ? -Infinity : lack / targets[side]!));
    const side = shares.indexOf(Math.max(...shares));
    filled[side]! += size;
    for (const row of group.rows) sides[row] = side;
  }
  return sides;
}

/** 48 bits of a text's hash. */
function hashOf(text: string): number {
  return createHash("sha256").update(text).digest().readUIntBE(0, 6);
}

/** A text without what no reader would tell it apart by: case, kinds of white space, forms of one character. */
export function plainText(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll(/\s+/g, " ").trim();
}
