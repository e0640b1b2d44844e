/** @file Tokenizers from GGUF metadata give the ids that the models' own tokenizers give. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";

import { BoundedFile } from "../../src/formats/bounded-file.ts";
import type { GgufArchitecture } from "../../src/formats/gguf/gguf-config.ts";
import { preTokenizerNames } from "../../src/formats/gguf/gguf-pre-tokenizers.ts";
import { ggufTokenizer } from "../../src/formats/gguf/gguf-tokenizer.ts";
import { readGguf } from "../../src/formats/gguf/gguf.ts";
import type { TokenizerFiles } from "../../src/formats/model-file.ts";
import { openModel } from "../../src/formats/open-model.ts";
import { encodeGguf, type MetadataEntry } from "../fixtures/gguf-writer.ts";
import { sharedDataPath, smolLM2Path, withoutSharedData, withoutSmolLM2 } from "../fixtures/real-models.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { tinyGgufParts } from "../fixtures/tiny-gguf.ts";
import { tinyTokenizer } from "../fixtures/tiny-tokenizer.ts";
import { assertRefused } from "./expect-error.ts";

const path = join(temporaryFolder(), "tokenizer.gguf");

function translate(metadata: readonly MetadataEntry[], architecture: GgufArchitecture = "llama"): TokenizerFiles {
  writeFileSync(path, encodeGguf({ metadata, tensors: [] }));
  return translateFile(path, architecture);
}

function translateFile(file: string, architecture: GgufArchitecture): TokenizerFiles {
  const bounded = new BoundedFile(file);
  try {
    return ggufTokenizer(file, architecture, readGguf(bounded).metadata);
  } finally {
    bounded.close();
  }
}

function load({ tokenizerJson, tokenizerConfig }: TokenizerFiles): Tokenizer {
  return new Tokenizer(tokenizerJson, tokenizerConfig);
}

const text = fc.oneof(fc.string({ unit: "grapheme" }), fc.lorem(), fc.stringMatching(/^(?:<\|im_end\|>|[ \n]|Hello|the|world){0,12}$/));

test("a byte-level tokenizer from metadata gives the ids and texts of the one it was made from", () => {
  const original = load(tinyTokenizer());
  const translated = load(translate(tinyGgufParts().metadata));
  fc.assert(
    fc.property(text, (sample) => {
      const { ids } = original.encode(sample);
      assert.deepEqual(translated.encode(sample).ids, ids);
      if (ids.length > 0) assert.equal(translated.decode(ids), original.decode(ids));
    }),
  );
});

/** Metadata of the tiny tokenizer with some replaced or, by undefined, left out. */
function tinyMetadata(changes: Record<string, MetadataEntry | undefined>): MetadataEntry[] {
  const kept = tinyGgufParts().metadata.filter(({ key }) => !Object.hasOwn(changes, key));
  return [...kept, ...Object.values(changes).filter((entry) => entry !== undefined)];
}

test("start and end tokens are added when the file says so, and by default as the kind of tokenizer has it", () => {
  const flag = (name: string): MetadataEntry => ({ key: `tokenizer.ggml.add_${name}_token`, type: "bool", value: true });
  const both = translate([...tinyGgufParts().metadata, flag("bos"), flag("eos")]);
  const plain = load(tinyTokenizer()).encode("Hello").ids;
  assert.deepEqual(load(both).encode("Hello").ids, [1, ...plain, 2]);
  assert.deepEqual(load(both).encode("Hello", { add_special_tokens: false }).ids, plain);
  assert.equal(both.tokenizerConfig["add_bos_token"], true);
  const pre = (value: string): Record<string, MetadataEntry> => ({
    "tokenizer.ggml.pre": { key: "tokenizer.ggml.pre", type: "string", value },
  });
  assert.deepEqual(load(translate(tinyMetadata(pre("llama-bpe")))).encode("Hello").ids, [1, ...plain]);
  assert.deepEqual(load(translate(tinyMetadata(pre("qwen2")))).encode("Hello").ids, plain);
});

test("no named pre-tokenizer loses or changes any text", () => {
  for (const value of preTokenizerNames) {
    const files = translate(tinyMetadata({ "tokenizer.ggml.pre": { key: "tokenizer.ggml.pre", type: "string", value } }));
    const tokenizer = load(files);
    const samples = fc.oneof(text, fc.stringMatching(/^(?:[0-9]|[ \n\r\t]|'[sS]|'LL|[a-zA-Zé一가µ²٣]|[.,!$+^~|]|🙂){1,30}$/));
    fc.assert(
      fc.property(samples, (sample) => {
        const { ids } = tokenizer.encode(sample, { add_special_tokens: false });
        assert.equal(ids.length === 0 ? "" : tokenizer.decode(ids), sample, value);
      }),
      { numRuns: 30 },
    );
  }
});

test("a file from before tokenizer.ggml.pre existed is read as its architecture demands", () => {
  const without = tinyMetadata({ "tokenizer.ggml.pre": undefined });
  const pre = (files: TokenizerFiles): string => JSON.stringify(files.tokenizerJson["pre_tokenizer"]);
  const named = (value: string): TokenizerFiles =>
    translate(tinyMetadata({ "tokenizer.ggml.pre": { key: "tokenizer.ggml.pre", type: "string", value } }));
  assert.equal(pre(translate(without, "gpt2")), pre(named("gpt-2")));
  assert.equal(pre(translate(without, "qwen2")), pre(named("qwen2")));
  assert.equal(pre(translate(without, "llama")), pre(named("default")));
});

const refused: [
  what: string,
  changes: Record<string, MetadataEntry | undefined>,
  code: "unsupported_model" | "invalid_model_file" | "invalid_tokenizer",
  message: RegExp,
][] = [
  [
    "an unknown pre-tokenizer",
    { "tokenizer.ggml.pre": { key: "tokenizer.ggml.pre", type: "string", value: "klingon" } },
    "unsupported_model",
    /"klingon"; supported are .*smollm.*qwen2/,
  ],
  [
    "an unknown kind of tokenizer",
    { "tokenizer.ggml.model": { key: "tokenizer.ggml.model", type: "string", value: "rwkv" } },
    "unsupported_model",
    /"rwkv"; supported are "gpt2"/,
  ],
  ["no kind of tokenizer", { "tokenizer.ggml.model": undefined }, "unsupported_model", /tokenizer.ggml.model/],
  ["no tokens", { "tokenizer.ggml.tokens": undefined }, "invalid_model_file", /tokenizer.ggml.tokens is absent/],
  [
    "tokens that are no strings",
    { "tokenizer.ggml.tokens": { key: "tokenizer.ggml.tokens", type: "array", of: "u8", values: [1] } },
    "invalid_model_file",
    /is not an array of strings/,
  ],
  [
    "too few token types",
    { "tokenizer.ggml.token_type": { key: "tokenizer.ggml.token_type", type: "array", of: "i32", values: [1] } },
    "invalid_model_file",
    /has 1 elements for 300 tokens/,
  ],
  ["no merges", { "tokenizer.ggml.merges": undefined }, "invalid_model_file", /merges is absent/],
  [
    "a merge of one token",
    { "tokenizer.ggml.merges": { key: "tokenizer.ggml.merges", type: "array", of: "string", values: ["h e", "xyz"] } },
    "invalid_tokenizer",
    /merge 1 .* "xyz"/,
  ],
  [
    "a merge of three tokens",
    { "tokenizer.ggml.merges": { key: "tokenizer.ggml.merges", type: "array", of: "string", values: ["a b c"] } },
    "invalid_tokenizer",
    /merge 0/,
  ],
  [
    "no scores",
    { "tokenizer.ggml.model": { key: "tokenizer.ggml.model", type: "string", value: "llama" } },
    "invalid_model_file",
    /scores is absent/,
  ],
];

for (const [what, changes, code, message] of refused) {
  test(`${what} is refused by the metadata's key`, () => {
    assertRefused(() => translate(tinyMetadata(changes)), code, message);
  });
}

test("a SentencePiece token of absurd length is refused instead of being taken apart", () => {
  const tokens = ["<unk>", "a".repeat(100_000)];
  const metadata: MetadataEntry[] = [
    { key: "tokenizer.ggml.model", type: "string", value: "llama" },
    { key: "tokenizer.ggml.tokens", type: "array", of: "string", values: tokens },
    { key: "tokenizer.ggml.scores", type: "array", of: "f32", values: [0, 0] },
  ];
  assertRefused(() => translate(metadata), "invalid_tokenizer", /token 1 .* has 100000 characters/);
});

interface BpeJson {
  model: { vocab: Record<string, number>; merges: [string, string][] };
}

test(
  "stories260K's SentencePiece vocabulary and scores give the ids of its tokenizer.json",
  { skip: withoutSharedData("models/stories260K") },
  () => {
    const { tokenizer } = openModel(sharedDataPath("models/stories260K")!);
    const { vocab } = (tokenizer.tokenizerJson as unknown as BpeJson).model;
    const tokens = Object.keys(vocab).toSorted((a, b) => vocab[a]! - vocab[b]!);
    // SentencePiece's BPE trainer numbers pieces in the order of their merges and gives each the negative of that as
    // score.
    const scores = tokens.map((_, id) => (id < 259 ? 0 : 259 - id));
    const translated = translate([
      { key: "tokenizer.ggml.model", type: "string", value: "llama" },
      { key: "tokenizer.ggml.tokens", type: "array", of: "string", values: tokens },
      { key: "tokenizer.ggml.scores", type: "array", of: "f32", values: scores },
      {
        key: "tokenizer.ggml.token_type",
        type: "array",
        of: "i32",
        values: tokens.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1)),
      },
      { key: "tokenizer.ggml.bos_token_id", type: "u32", value: 1 },
      { key: "tokenizer.ggml.eos_token_id", type: "u32", value: 2 },
      { key: "tokenizer.ggml.unknown_token_id", type: "u32", value: 0 },
    ]);
    const [original, ours] = [load(tokenizer), load(translated)];
    for (const field of ["normalizer", "pre_tokenizer", "post_processor", "decoder"]) {
      assert.deepEqual(translated.tokenizerJson[field], tokenizer.tokenizerJson[field], field);
    }
    const stories = fc.array(fc.constantFrom("Once", "upon", "a", "time", "little", "girl", "Timmy", "happy", ".", "\n", "é", "🙂", "  "), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          stories.map((words) => words.join(" ")),
          text,
        ),
        (sample) => {
          const { ids } = original.encode(sample);
          assert.deepEqual(ours.encode(sample).ids, ids);
          assert.equal(ours.decode(ids, { skip_special_tokens: true }), original.decode(ids, { skip_special_tokens: true }));
        },
      ),
    );
  },
);

interface GreedyVectors {
  cases: { rendered: string; prompt_ids: number[]; completion_ids: number[]; completion: string }[];
}

test(
  "SmolLM2's tokenizer gives the ids and texts of PyTorch's golden run",
  { skip: withoutSmolLM2 || withoutSharedData("vectors/smollm2/greedy.json") },
  () => {
    const tokenizer = load(openModel(smolLM2Path()!).tokenizer);
    const { cases } = JSON.parse(readFileSync(sharedDataPath("vectors/smollm2/greedy.json")!, "utf8")) as GreedyVectors;
    assert.ok(cases.length > 0);
    for (const { rendered, prompt_ids: promptIds, completion_ids: completionIds, completion } of cases) {
      assert.deepEqual(tokenizer.encode(rendered).ids, promptIds);
      assert.equal(tokenizer.decode(completionIds, { skip_special_tokens: true }), completion);
    }
  },
);

/** llama.cpp's source holds vocabularies as GGUF files with texts and the ids that transformers gives them. */
const vocabularies = process.env["BONSAI_TEST_GGUF_VOCABULARIES"];

for (const name of ["gpt-2", "llama-bpe", "qwen2", "llama-spm", "phi-3", "starcoder", "refact", "command-r", "deepseek-coder", "mpt"]) {
  const file = join(vocabularies ?? "", `ggml-vocab-${name}.gguf`);
  const isAbsent = vocabularies === undefined || !existsSync(file);
  test(
    `the ${name} vocabulary of llama.cpp gives the ids of transformers`,
    { skip: isAbsent && "set BONSAI_TEST_GGUF_VOCABULARIES to the folder models/ of llama.cpp's source" },
    () => {
      const tokenizer = load(translateFile(file, "llama"));
      const samples = readFileSync(`${file}.inp`, "utf8").split("\n__ggml_vocab_test__\n");
      const expected = readFileSync(`${file}.out`, "utf8").split("\n");
      for (const [index, sample] of samples.entries()) {
        assert.equal(
          tokenizer.encode(sample, { add_special_tokens: false }).ids.join(" "),
          expected[index]!.trim(),
          JSON.stringify(sample),
        );
      }
    },
  );
}
