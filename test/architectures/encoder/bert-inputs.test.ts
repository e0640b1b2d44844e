/**
 * @file Rows of tokens become padded batches, and a row that does not fit the model is told apart before it reaches a
 * graph.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encoderBatch, paddedLength, type EncoderRow } from "../../../src/architectures/encoder/bert-inputs.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";

const config = { vocabSize: 100, typeVocabSize: 2, contextLength: 20, padTokenId: 7 };
const row = (...ids: number[]): EncoderRow => ({ ids, types: ids.map((_, place) => Number(place > 0)) });

describe("a batch of rows", () => {
  test("has each row's tokens, then padding that the mask leaves out", () => {
    const batch = encoderBatch([row(1, 2, 3), row(4)], config, 4);
    assert.deepEqual([...batch.ids], [1, 2, 3, 7, 4, 7, 7, 7]);
    assert.deepEqual([...batch.types], [0, 1, 1, 0, 0, 0, 0, 0]);
    assert.deepEqual([...batch.mask], [1, 1, 1, 0, 1, 0, 0, 0]);
  });

  test("is as long as its longest row, rounded up, which may pass the context", () => {
    assert.deepEqual([0, 1, 16, 17].map(paddedLength), [16, 16, 16, 32]);
    assert.equal(encoderBatch([row(1), row(...Array<number>(18).fill(5))], config).length, 32);
  });

  test("may have more rows than a call takes arguments", () => {
    const one = row(1);
    assert.equal(encoderBatch(Array<EncoderRow>(200_000).fill(one), config).length, 16);
  });

  test("refuses a row that the model has no place, token or type for", () => {
    const wrong: [rows: EncoderRow[], message: RegExp][] = [
      [[row(1), row(...Array<number>(21).fill(5))], /Row 1 has 21 tokens .* from 1 to 20 fit/],
      [[row()], /Row 0 has 0 tokens/],
      [[{ ids: [1, 2], types: [0] }], /2 tokens of 1 types/],
      [[row(100)], /Row 0 has the token id 100; the model has 0 to 99/],
      [[row(-1)], /token id -1/],
      [[{ ids: [1], types: [2] }], /Row 0 has the token type 2; the model has 0 to 1/],
    ];
    for (const [rows, message] of wrong) {
      assert.throws(
        () => encoderBatch(rows, config),
        (error) => error instanceof BonsaiError && message.test(error.message),
      );
    }
  });
});
