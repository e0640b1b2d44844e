/** @file Faults of a schema are told as the field's path and what would be right, without the value. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { invalidRequest, pathOf, type SchemaFault } from "../../src/protocol/wire/invalid-request.ts";

const fault = (fields: Partial<SchemaFault>): SchemaFault => ({ keyword: "type", instancePath: "", params: {}, ...fields });

test("a JSON pointer reads as a path, with brackets for lists only", () => {
  const body = { messages: [{ content: [{ text: 1 }] }], logit_bias: { "7": 1 }, "a/b": { "~": 1 } };
  assert.equal(pathOf("/messages/0/content/0/text", body), "messages[0].content[0].text");
  assert.equal(pathOf("/logit_bias/7", body), "logit_bias.7");
  assert.equal(pathOf("/a~1b/~0", body), "a/b.~");
  assert.equal(pathOf("", body), "");
});

test("of several faults the deepest is told", () => {
  const error = invalidRequest(
    [
      fault({ instancePath: "/stop", params: { type: "string" } }),
      fault({ instancePath: "/stop/1", params: { type: "string" } }),
      fault({ keyword: "anyOf", instancePath: "/stop" }),
    ],
    { stop: ["a", 1] },
  );
  assert.deepEqual([error.code, error.param, error.message], ["invalid_request", "stop[1]", "stop[1] must be a text."]);
});

test("an unknown field is named, shortened where it is long, with its near miss", () => {
  const unknown = (name: string) =>
    invalidRequest(
      [fault({ keyword: "additionalProperties", params: { additionalProperty: name }, parentSchema: { properties: { temperature: {} } } })],
      {},
    );
  assert.deepEqual([unknown("temprature").code, unknown("temprature").param], ["unsupported_field", "temprature"]);
  assert.match(unknown("temprature").message, /Did you mean temperature\?/);
  assert.ok(unknown("x".repeat(10_000)).message.length < 200);
});

test("each bound reads as a sentence", () => {
  const sentence = (keyword: string, params: Record<string, unknown>) =>
    invalidRequest([fault({ keyword, params, instancePath: "/n" })], { n: 0 }).message;
  assert.equal(sentence("minimum", { limit: 1 }), "n must be at least 1.");
  assert.equal(sentence("maximum", { limit: 64 }), "n must be at most 64.");
  assert.equal(sentence("exclusiveMinimum", { limit: 0 }), "n must be more than 0.");
  assert.equal(sentence("minItems", { limit: 1 }), "n must not be empty.");
  assert.equal(sentence("maxItems", { limit: 4 }), "n must have at most 4 entries.");
  assert.equal(sentence("maxLength", { limit: 4 }), "n must have at most 4 characters.");
  assert.equal(sentence("enum", { allowedValues: ["a", null] }), 'n must be one of "a".');
  assert.equal(sentence("type", { type: ["integer", "null"] }), "n must be a whole number.");
});

test("a body that is no object is told as such", () => {
  assert.equal(invalidRequest([fault({ params: { type: "object" } })], null).message, "The body must be a JSON object.");
});
