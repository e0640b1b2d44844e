/**
 * @file Pairs of texts become the rows of Hugging Face's Rust tokenizers (test/oracle/bert.py), cut and typed as there.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readTokenizerFiles } from "../../../src/formats/hugging-face-folder.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { PairEncoder } from "../../../src/text/tokenizer/encode-pair.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { bertGolden, bertPath, goldenBerts, miniLMPairs, type GoldenPair } from "../../architectures/bert-goldens.ts";
import { miniLMPath, withoutMiniLM } from "../../fixtures/real-models.ts";
import { filesOf, smallTokenizers } from "../goldens.ts";

type Json = Record<string, unknown>;

function encoderOf(tokenizerJson: Json): PairEncoder {
  const files = filesOf(tokenizerJson);
  return new PairEncoder(new Tokenizer(files), files);
}

function assertPairs(encoder: PairEncoder, pairs: readonly GoldenPair[]): void {
  for (const { first, second, length, ids, types } of pairs) {
    const encoded = encoder.encode(first, second, length ?? undefined);
    const what = `${JSON.stringify([first, second])} in ${length}`;
    assert.deepEqual(encoded.ids, ids, `ids of ${what}`);
    assert.deepEqual(encoded.types, types, `types of ${what}`);
    assert.equal(encoded.cutTokens, encoder.encode(first, second).ids.length - ids.length, `cut tokens of ${what}`);
  }
}

const bert = JSON.parse(readFileSync(join(bertPath("classifier"), "tokenizer.json"), "utf8")) as Json;
const withProcessor = (processor: Json | null): Json => ({ ...bert, post_processor: processor });

describe("a pair of texts", () => {
  for (const name of goldenBerts) {
    test(`is the reference's row, whole and cut: ${name}`, () => {
      const files = readTokenizerFiles(bertPath(name));
      assertPairs(new PairEncoder(new Tokenizer(files), files), bertGolden(name).pairs);
    });
  }

  test("is the reference's row, whole and cut: all-MiniLM-L6-v2", { skip: withoutMiniLM }, () => {
    const files = readTokenizerFiles(miniLMPath()!);
    assertPairs(new PairEncoder(new Tokenizer(files), files), miniLMPairs());
  });

  test("is put together alike by BertProcessing, and in a sequence of steps", () => {
    const pairs = bertGolden("classifier").pairs;
    const processing = { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] };
    assertPairs(encoderOf(withProcessor(processing)), pairs);
    assertPairs(encoderOf(withProcessor({ type: "Sequence", processors: [{ type: "ByteLevel" }, bert["post_processor"]] })), pairs);
  });

  test("cannot speak for the template: a separator in a text is text", () => {
    const encoder = encoderOf(bert);
    const { ids } = encoder.encode("a [SEP] b", "c [CLS][SEP] d");
    assert.equal(ids.filter((id) => id === 3).length, 2);
    assert.equal(ids.filter((id) => id === 2).length, 1);
  });

  test("keeps to any length that holds the special tokens, and refuses less", () => {
    const encoder = encoderOf(bert);
    for (let length = encoder.specialTokens; length < 40; length++) {
      const { ids, cutTokens } = encoder.encode("wash the bear", "dry the bear and wash it again", length);
      assert.ok(ids.length === length || (cutTokens === 0 && ids.length < length));
    }
    assert.throws(
      () => encoder.encode("a", "b", 2),
      (error) => error instanceof BonsaiError && error.code === "invalid_tokenizer",
    );
  });

  test("is refused with the field at fault where the tokenizer has no way for pairs", () => {
    const template = bert["post_processor"] as Json;
    const cases: [processor: Json | null, message: RegExp][] = [
      [null, /`post_processor\.type` is undefined; pairs of texts need TemplateProcessing or BertProcessing/],
      [{ type: "ByteLevel" }, /`post_processor\.type` is "ByteLevel"/],
      [
        { ...template, pair: [{ Sequence: { id: "A", type_id: 0 } }] },
        /`post_processor\.pair` must contain each of the Sequences A and B once/,
      ],
      [{ ...template, pair: [{ Sequence: { id: "C", type_id: 0 } }] }, /`post_processor\.pair\[0\]` must be a SpecialToken/],
      [
        { ...template, pair: [{ SpecialToken: { id: "[NO]", type_id: 0 } }] },
        /`post_processor\.pair\[0\]\.SpecialToken\.id` must be the id/,
      ],
      [{ ...template, pair: [{ Sequence: { id: "A", type_id: -1 } }] }, /`post_processor\.pair\[0\]\.Sequence\.type_id`/],
      [{ ...template, pair: undefined }, /`post_processor\.pair` must be an array/],
      [{ type: "Sequence", processors: [template, template] }, /`post_processor\.processors` has 2 steps/],
    ];
    for (const [processor, message] of cases) {
      assert.throws(
        () => new PairEncoder(new Tokenizer(filesOf(bert)), { tokenizerJson: withProcessor(processor) }),
        (error) => error instanceof BonsaiError && error.code === "invalid_tokenizer" && message.test(error.message),
      );
    }
    const gpt2 = smallTokenizers().kinds.find(({ name }) => name === "gpt2")!;
    assert.throws(() => encoderOf(gpt2.tokenizerJson), /pairs of texts need/);
  });
});
