/**
 * @file Splits: nothing that links rows is on two sides, whatever the rows are; sides have about their shares; the
 * order of rows changes nothing.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { linkedGroups, plainText, splitRows } from "../../src/preferences/splitting.ts";

const rowKeys = fc.array(fc.array(fc.integer({ min: 0, max: 30 }).map(String), { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 60,
});
const wanted = fc.constantFrom([{ name: "held-out", share: 0.2 }], [{ name: "held-out", share: 0.1 }, { name: "validation", share: 0.3 }]); // prettier-ignore

describe("a split", () => {
  it("leaves no key on two sides", () => {
    fc.assert(
      fc.property(rowKeys, wanted, fc.nat(), (keys, sides, seed) => {
        const sideOfKey = new Map<string, number>();
        for (const [row, side] of splitRows(keys, sides, seed).entries()) {
          for (const key of keys[row]!) {
            assert.equal(sideOfKey.get(key) ?? side, side, `the key ${key}`);
            sideOfKey.set(key, side);
          }
        }
      }),
    );
  });

  it("puts a row on the same side wherever it stands in the file", () => {
    fc.assert(
      fc.property(rowKeys, wanted, fc.nat(), (keys, sides, seed) => {
        const order = keys.map((_, row) => row).toSorted((a, b) => ((a * 7919) % 61) - ((b * 7919) % 61));
        const plain = splitRows(keys, sides, seed);
        const moved = splitRows(order.map((row) => keys[row]!), sides, seed); // prettier-ignore
        assert.deepEqual(moved, order.map((row) => plain[row])); // prettier-ignore
      }),
    );
  });

  it("gives each side its share where groups are small", () => {
    const keys = Array.from({ length: 2000 }, (_, row) => [`prompt ${Math.floor(row / 3)}`]);
    const sides = splitRows(keys, [{ name: "held-out", share: 0.1 }, { name: "validation", share: 0.05 }], 3); // prettier-ignore
    const count = (side: number): number => sides.filter((one) => one === side).length;
    assert.ok(Math.abs(count(1) - 200) <= 3 && Math.abs(count(2) - 100) <= 3, `${count(1)} ${count(2)}`);
    assert.notDeepEqual(splitRows(keys, [{ name: "held-out", share: 0.1 }], 4), splitRows(keys, [{ name: "held-out", share: 0.1 }], 5));
  });

  it("does not put on a small side what is far larger than it", () => {
    const keys = Array.from({ length: 100 }, (_, row) => [row < 60 ? "large" : `small ${row}`]);
    for (let seed = 0; seed < 20; seed++) assert.equal(splitRows(keys, [{ name: "held-out", share: 0.1 }], seed)[0], 0);
  });
});

describe("linked rows", () => {
  it("are in one group through others, and the group's rows are in order", () => {
    const groups = linkedGroups([["a"], ["b"], ["c", "d"], ["b", "c"], ["e"], ["d"]]);
    assert.deepEqual(groups.map(({ rows }) => rows), [[0], [1, 2, 3, 5], [4]]); // prettier-ignore
    assert.deepEqual(groups.map(({ key }) => key), ["a", "b", "e"]); // prettier-ignore
  });
});

describe("a plain text", () => {
  it("is the same for texts that read alike", () => {
    assert.equal(plainText(" Hello\n\tWORLD ﬁ "), plainText("hello world fi"));
  });
});
