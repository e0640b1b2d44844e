/** @file Bodies are checked before they are parsed: depth by a scan that agrees with the parsed value. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkedJsonText, isNestedAtMost, maxJsonDepth } from "../../src/protocol/wire/json-body.ts";

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

const bracketed = fc.string({ unit: fc.constantFrom("[", "]", "{", "}", '"', "\\", "a", "ü") });
const value = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 8 }, bracketed, fc.integer(), fc.array(tie("value")), fc.dictionary(bracketed, tie("value"))),
})).value;

test("the scan's depth is that of the value, whatever its strings hold", () => {
  fc.assert(
    fc.property(value, (drawn) => {
      const json = Buffer.from(JSON.stringify(drawn));
      assert.ok(isNestedAtMost(depthOf(drawn), json));
      if (depthOf(drawn) > 0) assert.ok(!isNestedAtMost(depthOf(drawn) - 1, json));
    }),
  );
});

test("any bytes are scanned to their end", () => {
  fc.assert(fc.property(bracketed, (text) => typeof isNestedAtMost(3, Buffer.from(text)) === "boolean"));
  assert.ok(isNestedAtMost(1, Buffer.from('["\\\\"]["\\"[[["')));
});

test("what is not UTF-8, or too deep, is refused before it is parsed", () => {
  const nested = (depth: number): Buffer => Buffer.from("[".repeat(depth) + "]".repeat(depth));
  assert.equal(checkedJsonText(nested(maxJsonDepth), "The body").length, 2 * maxJsonDepth);
  assert.throws(() => checkedJsonText(nested(maxJsonDepth + 1), "The body"), /The body is nested more than 128 levels deep\./);
  assert.throws(() => checkedJsonText(Buffer.alloc(1 << 20, "["), "The frame"), /nested/);
  for (const bytes of [Buffer.from('{"a":"ü"}', "latin1"), Buffer.from('{"a":1}', "utf16le").subarray(1), Buffer.from([0x22, 0xc3, 0x22])])
    if (bytes.some((byte) => byte > 127)) assert.throws(() => checkedJsonText(bytes, "The body"), /not UTF-8/);
});
