/** @file Pieces of text, token by token, are whole characters and together the text of the whole. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Tokenizer as Library } from "@huggingface/tokenizers";
import fc from "fast-check";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { filesOf, smallTokenizers } from "../goldens.ts";

const { kinds } = smallTokenizers();
const jsonOf = (name: string): Record<string, unknown> => kinds.find((kind) => kind.name === name)!.tokenizerJson;
const tokenizerOf = (name: string): Tokenizer => new Tokenizer(filesOf(jsonOf(name)));
const ids = (tokenizer: Tokenizer): fc.Arbitrary<number[]> => fc.array(fc.nat(tokenizer.vocabSize + 2), { maxLength: 40 });

function piecesOf(tokenizer: Tokenizer, sequence: readonly number[], options = {}): string[] {
  const detokenizer = tokenizer.detokenizer(options);
  return [...sequence.map((id) => detokenizer.push(id)), detokenizer.flush()];
}

/** The text of tokens by their bytes alone. */
function textOfBytes(tokenizer: Tokenizer, sequence: readonly number[]): string {
  const bytes = sequence.filter((id) => !tokenizer.isSpecial(id)).map((id) => tokenizer.tokenBytes(id));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(bytes));
}

describe("Detokenizer", () => {
  for (const name of ["gpt2", "llama3", "gemma"]) {
    it(`gives pieces that are together the text of all bytes, for random ids: ${name}`, () => {
      const tokenizer = tokenizerOf(name);
      fc.assert(
        fc.property(ids(tokenizer), (sequence) => assert.equal(piecesOf(tokenizer, sequence).join(""), textOfBytes(tokenizer, sequence))),
      );
    });
  }

  it("gives pieces that are together the whole text less its first space, for random ids: llama2", () => {
    const tokenizer = tokenizerOf("llama2");
    fc.assert(
      fc.property(ids(tokenizer), (sequence) => {
        const text = textOfBytes(tokenizer, sequence);
        assert.equal(piecesOf(tokenizer, sequence).join(""), text.replace(/^ /, ""));
        assert.equal(piecesOf(tokenizer, sequence, { atSequenceStart: false }).join(""), text);
      }),
    );
  });

  it("agrees with the library's decoding of whole sequences, for ids of texts: gpt2 and llama2", () => {
    for (const name of ["gpt2", "llama2"]) {
      const tokenizer = tokenizerOf(name);
      const library = new Library(jsonOf(name), { clean_up_tokenization_spaces: false });
      fc.assert(
        fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
          fc.pre(!text.includes("\ufeff"));
          const sequence = tokenizer.encode(text);
          assert.equal(piecesOf(tokenizer, sequence).join(""), library.decode(sequence, { skip_special_tokens: true }));
        }),
      );
    }
  });

  for (const text of ["🙂👍🏽👨‍👩‍👧‍👦", "你好，世界", "e\u0301\u0302a\u0308", "naïve ß", "🇩🇪"]) {
    for (const name of ["gpt2", "llama2"]) {
      it(`never cuts a character whose bytes are tokens of their own: ${text}, ${name}`, () => {
        const tokenizer = tokenizerOf(name);
        // One token for each byte, the finest cut there is.
        const byteIds = Array.from(Buffer.from(text), (byte) => {
          const wanted = Buffer.of(byte);
          return Array.from({ length: tokenizer.vocabSize }, (_, id) => id).find((id) => wanted.equals(tokenizer.tokenBytes(id)))!;
        });
        const pieces = piecesOf(tokenizer, byteIds);
        assert.deepEqual(
          pieces.filter((piece) => piece !== ""),
          [...text],
        );
      });
    }
  }

  it("shows bytes that never become a character as U+FFFD, at the latest when the sequence ends", () => {
    const tokenizer = tokenizerOf("llama2");
    const [e2, ff, a] = ["<0xE2>", "<0xFF>", "a"].map((token) => tokenizer.idOf(token)!);
    assert.deepEqual(piecesOf(tokenizer, [e2!]), ["", "\ufffd"]);
    assert.deepEqual(piecesOf(tokenizer, [e2!, a!]), ["", "\ufffda", ""]);
    assert.deepEqual(piecesOf(tokenizer, [ff!, a!]), ["\ufffd", "a", ""]);
  });

  it("leaves special tokens out unless asked for them", () => {
    const tokenizer = tokenizerOf("gpt2");
    const sequence = tokenizer.encode("a<|im_end|>b<tool>");
    assert.equal(piecesOf(tokenizer, sequence).join(""), "ab<tool>");
    assert.equal(piecesOf(tokenizer, sequence, { skipSpecialTokens: false }).join(""), "a<|im_end|>b<tool>");
  });

  it("drops the space of the first word only, also when special tokens or nothing came before it", () => {
    for (const name of ["llama2", "metaspace always"]) {
      const tokenizer = tokenizerOf(name);
      const the = tokenizer.idOf("▁the")!;
      const start = tokenizer.idOf("<s>")!;
      assert.equal(piecesOf(tokenizer, [start, tokenizer.vocabSize, the, start, the]).join(""), "the the");
      assert.equal(piecesOf(tokenizer, [the, the], { atSequenceStart: false }).join(""), " the the");
    }
  });
});
