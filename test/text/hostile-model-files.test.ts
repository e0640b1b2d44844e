/**
 * @file Templates and tokenizers of model files that would take hours or gigabytes are refused after a counted amount
 * of work.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { ChatTemplate } from "../../src/text/conversation/chat-template.ts";
import { encodeChat } from "../../src/text/conversation/encode-chat.ts";
import { Tokenizer } from "../../src/text/tokenizer/tokenizer.ts";
import { tinyChatTemplate, tinyTokenizer } from "../fixtures/tiny-tokenizer.ts";
import { filesOf, smallTokenizers } from "./goldens.ts";

const hello = [{ role: "user", content: "hello" }];
const loop = (times: number, body: string): string => `{% for i in range(${times}) %}${body}{% endfor %}`;

/** A list of 100,000 elements, or a text of as many characters, named `big`, before the rest. */
const bigList = (rest: string): string => `{% set big = range(100000) | list %}${rest}`;
const bigText = (rest: string): string =>
  `{% set ns = namespace(t='ab') %}${loop(18, "{% set ns.t = ns.t ~ ns.t %}")}{% set big = ns.t %}${rest}`;
/** Lists that each hold the one before it twice: 2^40 elements as a text. */
const nested = (rest: string): string => `{% set ns = namespace(l=['x']) %}${loop(40, "{% set ns.l = [ns.l, ns.l] %}")}${rest}`;

describe("the chat template of a hostile file", () => {
  const cases: Record<string, string> = {
    "slices a large list 40,000 times": bigList(loop(40_000, "{% set part = big[1:] %}")),
    "keeps the slices": bigList(`{% set ns = namespace(kept=[]) %}${loop(40_000, "{% set ns.kept = ns.kept + [big[i:]] %}")}`),
    "slices a large text": bigText(loop(40_000, "{% set part = big[1:] %}")),
    "splits a large text": bigText(loop(40_000, "{% set parts = big.split('a') %}")),
    "searches a text in a text": bigText(loop(40_000, "{% if big + 'c' in big %}{% endif %}")),
    "replaces each letter by a large text": bigText("{% set more = big.replace('a', big) %}"),
    "joins a list by a large text": bigText(bigList("{% set more = big | join(ns.t) %}")),
    "indents far": "{{ ('a\n' * 1) | default('a\nb') | indent(400000000) }}".replace("('a\n' * 1)", "nothing"),
    "writes JSON with a far indent": "{{ {'a': [1]} | tojson(indent=400000000) }}",
    "begins many loops over a large list": bigList(loop(40_000, "{% for x in big %}{% break %}{% endfor %}")),
    "sorts a large list again and again": bigList(loop(40_000, "{% set sorted = big | sort %}")),
    "looks for an element again and again": bigList(loop(40_000, "{% if 'x' in big %}{% endif %}")),
    "writes a large list again and again": bigList(loop(40_000, "{{ big }}")),
    "compares the case of a large text": bigText(loop(90_000, "{% if big is lower %}{% endif %}")),
    "doubles a list without end": nested(""),
    "writes nested lists as JSON": nested("{{ ns.l | tojson }}"),
    "copies a large list into namespaces": bigList(loop(40_000, "{% set other = namespace(a=big, b=big | list) %}")),
  };
  for (const [what, source] of Object.entries(cases)) {
    test(`that ${what} is refused`, () => {
      const template = new ChatTemplate(source, {});
      assert.throws(
        () => template.render(hello),
        (error) =>
          error instanceof BonsaiError &&
          error.code === "invalid_request" &&
          /refuses these messages: (it takes more than \d+ steps|its output exceeds \d+ characters)/.test(error.message),
      );
    });
  }

  test("that is too long for the parser is refused", () => {
    for (const source of ["{{ a }}".repeat(100_000), `${" ".repeat(1000)}x`, "\n".repeat(1000)])
      assert.throws(
        () => new ChatTemplate(source, {}),
        (error) => error instanceof BonsaiError && error.code === "invalid_tokenizer",
      );
  });

  test("leaves room for long conversations", () => {
    const template = new ChatTemplate(
      "{% for m in messages %}{% if '<think>' in m.content %}{{ m.content.split('</think>')[-1] | trim }}{% else %}{{ m.role + ': ' + m.content | trim }}{% endif %}\n{% endfor %}{{ messages[1:] | length }}",
      {},
    );
    const turns = Array.from({ length: 4000 }, (_, index) => ({ role: "user", content: `turn ${index}` }));
    assert.ok(template.render(turns).endsWith("3999"));
    const long = [{ role: "user", content: "in and out ".repeat(200_000) }];
    assert.equal(template.render(long).length, "user: ".length + "in and out ".length * 200_000 - 1 + 1);
  });
});

const gpt2 = smallTokenizers().kinds.find(({ name }) => name === "gpt2")!.tokenizerJson;
const bert = smallTokenizers().kinds.find(({ name }) => name === "bert")!.tokenizerJson;
const sequence = (list: string, steps: object[]): object => ({ type: "Sequence", [list]: steps });
const replace = (from: object, content: string): object => ({ type: "Replace", pattern: from, content });
const added = (content: string): object => ({ id: 5000, content, special: true });

describe("the tokenizer of a hostile file", () => {
  const doubling = Array.from({ length: 40 }, () => replace({ String: "a" }, "aa"));
  const cases: [what: string, json: object, field: string][] = [
    ["doubles each letter forty times", { ...gpt2, normalizer: sequence("normalizers", doubling) }, "normalizer"],
    ["replaces nothing by much", { ...gpt2, normalizer: replace({ Regex: "" }, "x".repeat(1e6)) }, "normalizer.content"],
    ["prepends much", { ...gpt2, normalizer: { type: "Prepend", prepend: "x".repeat(1e6) } }, "normalizer.prepend"],
    [
      "has too many steps",
      {
        ...gpt2,
        normalizer: sequence(
          "normalizers",
          Array.from({ length: 1e5 }, () => ({ type: "NFC" })),
        ),
      },
      "normalizer",
    ],
    [
      "nests its steps",
      {
        ...gpt2,
        pre_tokenizer: Array.from({ length: 1e4 }).reduce<object>((step) => sequence("pretokenizers", [step]), { type: "Digits" }),
      },
      "pre_tokenizer",
    ],
    ["makes much of a space", { ...gpt2, pre_tokenizer: { type: "Metaspace", replacement: "▁".repeat(1e6) } }, "pre_tokenizer.replacement"],
    ["cuts words of no length", { ...gpt2, pre_tokenizer: { type: "FixedLength", length: 0 } }, "pre_tokenizer.length"],
    [
      "has a regular expression of a megabyte",
      { ...gpt2, pre_tokenizer: { type: "Split", pattern: { Regex: "a|".repeat(5e5) }, behavior: "Isolated" } },
      "pre_tokenizer.pattern",
    ],
    ["has an added token of a megabyte", { ...gpt2, added_tokens: [added("a".repeat(1e6))] }, "added_tokens[0].content"],
    ["has a token of a megabyte", { ...gpt2, model: { ...(gpt2["model"] as object), vocab: { ["a".repeat(1e6)]: 0 } } }, "model.vocab"],
    [
      "puts much before each character",
      { ...gpt2, model: { ...(gpt2["model"] as object), continuing_subword_prefix: "x".repeat(1e6) } },
      "model.continuing_subword_prefix",
    ],
    [
      "takes long words apart",
      { ...bert, model: { ...(bert["model"] as object), max_input_chars_per_word: 1e9 } },
      "model.max_input_chars_per_word",
    ],
    ["decodes each letter doubled forty times", { ...gpt2, decoder: sequence("decoders", doubling) }, "decoder"],
    [
      "puts a thousand tokens around a text",
      {
        ...gpt2,
        post_processor: {
          type: "TemplateProcessing",
          single: [{ Sequence: { id: "A" } }, ...Array.from({ length: 1000 }, () => ({ SpecialToken: { id: "a" } }))],
          special_tokens: { a: { ids: [0] } },
        },
      },
      "post_processor",
    ],
  ];
  for (const [what, json, field] of cases) {
    test(`that ${what} is refused`, () => {
      assert.throws(
        () => new Tokenizer(filesOf(json as Record<string, unknown>)).encode("a banana and a lavalava"),
        (error) =>
          error instanceof BonsaiError && error.code === "invalid_tokenizer" && error.message.startsWith(`tokenizer.json: \`${field}`),
      );
    });
  }
});

test("a message that uses nearly all private-use characters is read in one pass over it", () => {
  const characters = Array.from({ length: 0xf8ff - 0xe000 }, (_, index) => String.fromCharCode(0xe000 + index)).join("");
  const content = `${"in and out ".repeat(1000)}${characters}<|im_end|>`;
  const tokenizer = new Tokenizer(tinyTokenizer());
  const ids = encodeChat(tokenizer, new ChatTemplate(tinyChatTemplate, {}), [{ role: "user", content }]);
  assert.equal(ids.filter((id) => id === tokenizer.idOf("<|im_end|>")).length, 1);
});
