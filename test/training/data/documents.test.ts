/** @file Data sets: rows of every form become documents, and what is wrong is told with file, line and field. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { openModel } from "../../../src/formats/open-model.ts";
import { Tokenizer } from "../../../src/text/tokenizer/tokenizer.ts";
import { readDocuments, RowEncoder } from "../../../src/training/data/documents.ts";
import { longestLineBytes, readJsonLines } from "../../../src/formats/json-lines.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { assertRefused } from "../../formats/expect-error.ts";

const folder = temporaryFolder();
const path = join(folder, "rows.jsonl");
const { path: modelPath, tokenizer: files, eosTokenIds, weights } = openModel(goldenPath("llama"));
weights.close();
const model = { path: modelPath, tokenizer: files, eosTokenIds };
const tokenizer = new Tokenizer(model.tokenizer);
const encoder = new RowEncoder(model);
const end = 0;

function writeRows(...rows: unknown[]): void {
  writeFileSync(path, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
}

function only(row: unknown, maxLength = 1000): { ids: number[]; trained: number[] } {
  writeRows(row);
  const [document] = readDocuments([path], encoder, maxLength).documents;
  return { ids: [...document!.ids], trained: [...document!.trained] };
}

describe("rows", () => {
  test("of text are trained on whole and closed", () => {
    const ids = [...tokenizer.encode("hello there"), end];
    assert.deepEqual(only({ text: "hello there" }), { ids, trained: ids.map(() => 1) });
    assert.deepEqual(only({ text: "hello there<|end|>" }).ids, ids, "an end that is written is not doubled");
  });

  test("of prompt and completion are trained on the completion and its end", () => {
    const { ids, trained } = only({ prompt: "two and two", completion: " is four", extra: 5 });
    assert.deepEqual(ids, [...tokenizer.encode("two and two is four"), end]);
    assert.deepEqual(
      ids.filter((_, at) => trained[at] === 1),
      [...tokenizer.encode(" is four"), end],
    );
  });

  test("of messages, and of prompt and completion as messages, are trained on the assistant's turns", () => {
    const messages = ["user", "assistant", "user", "assistant"].map((role, at) => ({ role, content: `t${at}` }));
    const text = (row: unknown): string => {
      const { ids, trained } = only(row);
      return tokenizer.decode(ids.filter((_, at) => trained[at] === 1), { skipSpecialTokens: false }); // prettier-ignore
    };
    assert.equal(text({ messages }), "t1<|end|>t3<|end|>");
    assert.equal(text({ prompt: messages.slice(0, 3), completion: messages.slice(3) }), "t3<|end|>");
  });

  test("whose template leaves the last answer open are closed all the same", () => {
    const open = { ...model, tokenizer: { ...model.tokenizer, chatTemplate: "{% for m in messages %}{{ m.content }}|{% endfor %}" } };
    writeRows({ messages: [{ role: "user", content: "a" }, { role: "assistant", content: "b" }] }); // prettier-ignore
    const [document] = readDocuments([path], new RowEncoder(open), 100).documents;
    assert.deepEqual([document!.ids.at(-1), document!.trained.at(-1)], [end, 1]);
  });

  test("whose template marks answers without the end of their turn are trained on that end, and get no other", () => {
    const chatTemplate =
      "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}<|end|>|{% endfor %}";
    writeRows({ messages: [{ role: "user", content: "a" }, { role: "assistant", content: "b" }] }); // prettier-ignore
    const marked = new RowEncoder({ ...model, tokenizer: { ...model.tokenizer, chatTemplate } });
    const { ids, trained } = readDocuments([path], marked, 100).documents[0]!;
    assert.equal(tokenizer.decode([...ids].filter((_, at) => trained[at] === 1), { skipSpecialTokens: false }), "b<|end|>"); // prettier-ignore
    assert.equal(tokenizer.decode([...ids], { skipSpecialTokens: false }), "a<|end|>|b<|end|>|");
  });

  test("that are too long are cut at their end and counted; those of which nothing trained is left are dropped and counted", () => {
    writeRows({ text: "abcdefgh" }, { prompt: "a long prompt that fills all", completion: "x" }, { text: "ab" });
    const { documents, truncatedRows, truncatedTokens, droppedRows } = readDocuments([path], encoder, 4);
    assert.deepEqual(
      documents.map(({ ids }) => [...ids]),
      [[...tokenizer.encode("abcdefgh")].slice(0, 4), [...tokenizer.encode("ab"), end]],
    );
    const lengths = ["abcdefgh", "a long prompt that fills allx"].map((text) => tokenizer.encode(text).length + 1);
    assert.deepEqual([truncatedRows, truncatedTokens, droppedRows], [2, lengths[0]! + lengths[1]! - 8, 1]);
  });

  test("come back from the file in order, with the file's hash, wherever pieces and lines end", () => {
    const texts = fc.array(fc.string({ unit: "grapheme", maxLength: 40 }), { maxLength: 20 });
    fc.assert(
      fc.property(texts, fc.constantFrom("\n", "\r\n", "\n\n"), fc.boolean(), (values, separator, isClosed) => {
        writeFileSync(path, values.map((text) => JSON.stringify({ text })).join(separator) + (isClosed ? separator : ""));
        const lines = readJsonLines(path);
        const read: unknown[] = [];
        let next = lines.next();
        for (; next.done !== true; next = lines.next()) read.push(next.value.row["text"]);
        assert.deepEqual(read, values);
        assert.deepEqual(next.value, {
          path,
          rows: values.length,
          bytes: readFileSync(path).length,
          sha256: createHash("sha256").update(readFileSync(path)).digest("hex"),
        });
      }),
      { numRuns: 50 },
    );
  });

  test("longer than a piece of the file are read whole", () => {
    const long = "é".repeat(700_000);
    writeRows({ text: long }, { text: "b" });
    assert.deepEqual([...readJsonLines(path)].map(({ line, row }) => [line, row["text"] === (line === 1 ? long : "b")]), [[1, true], [2, true]]); // prettier-ignore
  });
});

const message = (content: unknown, role: unknown = "assistant"): object => ({ messages: [{ role, content }] });

const bad: [what: string, row: unknown, message: RegExp][] = [
  ["no JSON", "{nope", /rows\.jsonl:2 is not JSON/],
  ["a JSON array", "[1]", /rows\.jsonl:2 is a JSON array; a line must be/],
  ["a number", "5", /rows\.jsonl:2 is no JSON object/],
  ["a row of no form", { instruction: "x", output: "y" }, /:2: the row has the keys "instruction", "output"; it must be one of \{"text"/],
  ["an empty row", {}, /:2: the row has no keys/],
  ["a row of two forms", { text: "x", messages: [] }, /:2: the row has "text" and "messages"/],
  ["text that is no text", { text: 5 }, /:2: text must be a text, not a number/],
  ["no messages", { messages: [] }, /:2: messages must be a list of messages, not an empty list/],
  ["messages that are a text", { messages: "hi" }, /:2: messages must be a list of messages, not a string/],
  ["a message that is no object", { messages: ["hi"] }, /:2: messages\[0\] must be an object/],
  ["a message without a role", message("x", null), /:2: messages\[0\]\.role must be/],
  ["a message whose content is null", message(null), /:2: messages\[0\]\.content must be a text, not null/],
  ["a message of parts", message([{ type: "text", text: "x" }]), /:2: messages\[0\]\.content must be a text, not a list/],
  [
    "a call of tools",
    { messages: [{ role: "assistant", content: "", tool_calls: [{}] }] },
    /:2: messages\[0\]\.tool_calls is not supported/,
  ],
  ["messages without the assistant", message("x", "user"), /:2: messages must hold a message of role "assistant"/],
  ["a prompt without a completion", { prompt: "x" }, /:2: completion must be a text, not absent/],
  [
    "a prompt and a completion of two kinds",
    { prompt: [{ role: "user", content: "x" }], completion: "y" },
    /:2: completion must be a list/,
  ],
  ["a preference", { prompt: "x", chosen: "y", rejected: "z" }, /:2: chosen is of a preference/],
];

describe("a bad row is refused with file, line and field:", () => {
  for (const [what, row, pattern] of bad) {
    test(what, () => {
      writeRows({ text: "good" }, row);
      assertRefused(() => readDocuments([path], encoder, 100), "invalid_dataset", pattern);
    });
  }

  test("a conversation that the model's template refuses, in the template's words", () => {
    const strict = { ...model, tokenizer: { ...model.tokenizer, chatTemplate: "{{ raise_exception('roles must alternate') }}" } };
    writeRows(message("x"));
    assertRefused(
      () => readDocuments([path], new RowEncoder(strict), 100),
      "invalid_dataset",
      /:1: messages: .*refuses.*roles must alternate\.$/,
    );
  });

  test("a line that is not UTF-8, and one without end", () => {
    writeFileSync(path, Buffer.from([0x7b, 0xff, 0x7d]));
    assertRefused(() => readDocuments([path], encoder, 100), "invalid_dataset", /:1 is not UTF-8/);
    writeFileSync(path, Buffer.alloc(longestLineBytes + 2 ** 21, "a"));
    assertRefused(() => readDocuments([path], encoder, 100), "invalid_dataset", /:1 is longer than/);
  });

  test("nothing to train on, and a file that is absent", () => {
    writeRows();
    assertRefused(() => readDocuments([path], encoder, 100), "invalid_dataset", /no row is left to train on\.$/);
    writeRows({ prompt: "long prompt", completion: "x" });
    assertRefused(() => readDocuments([path], encoder, 3), "invalid_dataset", /of 1 the first 3 tokens hold none.*--max-length/);
    assertRefused(() => readDocuments([join(folder, "absent.jsonl")], encoder, 3), "file_not_found", /absent\.jsonl/);
  });

  test("a model without an end of sequence", () => {
    const endless = { ...model, eosTokenIds: [], tokenizer: { ...model.tokenizer, tokenizerConfig: {} } };
    assertRefused(() => new RowEncoder(endless), "invalid_tokenizer", /no end-of-sequence token/);
  });
});
