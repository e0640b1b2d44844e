/** @file A bad tokenizer.json is refused with the field that is at fault. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { filesOf, smallTokenizers } from "../goldens.ts";

type Json = Record<string, unknown>;

const { kinds } = smallTokenizers();
const fresh = (name: string): Json => structuredClone(kinds.find((kind) => kind.name === name)!.tokenizerJson);

/** Puts a value at a path such as `added_tokens.0.id`. */
function place(json: Json, path: string, value: unknown): void {
  const keys = path.split(".");
  const holder = keys.slice(0, -1).reduce<Json>((object, key) => object[key] as Json, json);
  holder[keys.at(-1)!] = value;
}

describe("tokenizer.json", () => {
  const cases: [what: string, kind: string, path: string, value: unknown, message: RegExp][] = [
    ["no model", "gpt2", "model", undefined, /`model` must be an object/],
    ["an unknown model", "gpt2", "model.type", "Magic", /`model\.type` is "Magic"; supported are BPE/],
    ["a vocabulary that is no object", "gpt2", "model.vocab", [], /`model\.vocab` must be an object/],
    ["an id that is no integer", "gpt2", "model.vocab.a", 1.5, /`model\.vocab\["a"\]` must be a token id/],
    ["a huge id", "gpt2", "model.vocab.a", 2 ** 40, /`model\.vocab\["a"\]` must be a token id/],
    ["a negative id", "gpt2", "model.vocab.a", -1, /`model\.vocab\["a"\]`/],
    ["merges that are no array", "gpt2", "model.merges", {}, /`model\.merges` must be an array/],
    ["a merge of three", "gpt2", "model.merges.3", "a b c", /`model\.merges\[3\]` must be two tokens/],
    ["a merge of what is not there", "gpt2", "model.merges.3", ["a", "世"], /`model\.merges\[3\]` needs the token "世"/],
    ["a merge into what is not there", "gpt2", "model.merges.3", ["a", "Ċ"], /`model\.merges\[3\]` needs the token "aĊ"/],
    ["dropout", "gpt2", "model.dropout", 0.1, /`model\.dropout`/],
    ["an unknown token that is not there", "llama2", "model.unk_token", "<what>", /`model\.unk_token`/],
    ["a flag that is none", "llama2", "model.byte_fallback", "yes", /`model\.byte_fallback` must be true or false/],
    ["an added token without content", "gpt2", "added_tokens.0.content", "", /`added_tokens\[0\]\.content`/],
    ["an added token without id", "gpt2", "added_tokens.1.id", undefined, /`added_tokens\[1\]\.id`/],
    ["an unknown normalizer", "gpt2", "normalizer", { type: "Magic" }, /`normalizer` cannot be used: .*Magic/],
    ["an unknown pre-tokenizer", "gpt2", "pre_tokenizer", { type: "Magic" }, /`pre_tokenizer` cannot be used: .*Magic/],
    [
      "a pattern that is no regular expression",
      "qwen2",
      "pre_tokenizer.pretokenizers.0.pattern.Regex",
      "(",
      /`pre_tokenizer\.pretokenizers\[0\]\.pattern` cannot be used/,
    ],
    [
      "a pattern that is absent",
      "qwen2",
      "pre_tokenizer.pretokenizers.0.pattern",
      undefined,
      /`pre_tokenizer\.pretokenizers\[0\]\.pattern`/,
    ],
    [
      "an unknown behaviour",
      "qwen2",
      "pre_tokenizer.pretokenizers.0.behavior",
      "Magic",
      /`pre_tokenizer\.pretokenizers\[0\]\.behavior` must be one of/,
    ],
    ["an unknown scheme", "metaspace first", "pre_tokenizer.prepend_scheme", "second", /`pre_tokenizer\.prepend_scheme`/],
    ["an unknown post-processor", "gpt2", "post_processor", { type: "Magic" }, /`post_processor\.type` is "Magic"/],
    ["a template without the text", "llama2", "post_processor.single", [], /`post_processor\.single` must contain the text/],
    [
      "a template with a token that is not there",
      "llama2",
      "post_processor.special_tokens",
      { "<s>": { ids: ["<s>"] } },
      /`post_processor\.single\[0\]\.SpecialToken\.id`/,
    ],
    ["an unknown decoder", "gpt2", "decoder", { type: "Magic" }, /`decoder` .*"Magic"/],
    ["a decoder that strips the end", "llama2", "decoder.decoders.3.stop", 1, /`decoder\.decoders\[3\]\.stop`/],
  ];
  for (const [what, kind, path, value, message] of cases) {
    it(`with ${what} is refused, naming the field`, () => {
      const json = fresh(kind);
      place(json, path, value);
      assert.throws(
        () => new Tokenizer(filesOf(json)),
        (error) => error instanceof BonsaiError && error.code === "invalid_tokenizer" && message.test(error.message),
      );
    });
  }

  it("takes merges as strings too, as files of before 2024 have them", () => {
    const json = fresh("gpt2");
    const pairs = new Tokenizer(filesOf(json)).encode("The bear was there.");
    const { merges } = json["model"] as { merges: string[][] };
    place(json, "model.merges", merges.map((pair) => pair.join(" "))); // prettier-ignore
    assert.deepEqual(new Tokenizer(filesOf(json)).encode("The bear was there."), pairs);
  });

  it("with any one value replaced is either usable or refused by an error of the registry", () => {
    const names = ["qwen2", "llama2", "metaspace first", "bert"];
    const junk = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom(null, -1, 1e308, "", [], {}));
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), junk, (name, choice, value) => {
        const json = fresh(name);
        const places = placesOf(json);
        const [holder, key] = places[choice % places.length]!;
        holder[key] = value;
        try {
          new Tokenizer(filesOf(json)).encode("The bear <s> 12");
        } catch (error) {
          assert.ok(error instanceof BonsaiError && error.code === "invalid_tokenizer", String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** Every place of a value, but for all but a few of the long lists' entries. */
function placesOf(value: unknown): [holder: Json, key: string][] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Json;
  return Object.keys(holder)
    .slice(0, 12)
    .flatMap((key) => [[holder, key] as [Json, string], ...placesOf(holder[key])]);
}
