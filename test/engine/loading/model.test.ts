/** @file Prompts become tokens or errors that say what to change; models open with what the server tells of them. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { runSlices } from "../../../src/text/slices.ts";
import { readPrompt, type Model } from "../../../src/engine/loading/model.ts";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../../fixtures/tiny-model.ts";
import { tinyVocabSize } from "../../fixtures/tiny-tokenizer.ts";
import { load, loadTiny } from "../tiny-engine.ts";

const folder = temporaryFolder();

function refuses(action: () => unknown, code: string, param: string, message: RegExp): void {
  assert.throws(
    action,
    (error) => error instanceof BonsaiError && error.code === code && error.param === param && message.test(error.message),
  );
}

describe("a model", () => {
  let model: Model;
  before(async () => {
    model = await loadTiny(folder);
  });

  test("tells what it is", () => {
    const { id, kind, contextLength, vocabSize, quantization, device, hasChatTemplate, fingerprint, created } = model.info;
    assert.deepEqual(
      { id, kind, contextLength, vocabSize, quantization, device, hasChatTemplate },
      {
        id: "tiny",
        kind: "policy",
        contextLength: 256,
        vocabSize: tinyVocabSize,
        quantization: "fp32",
        device: "cpu",
        hasChatTemplate: true,
      },
    );
    assert.match(fingerprint, /^bonsai-[0-9a-f]{12}$/);
    assert.ok(Number.isInteger(created));
    assert.deepEqual([...model.eosTokenIds], [2]);
  });

  test("renders messages by its template, and encodes text as it is", () => {
    const ids = runSlices(readPrompt(model, { kind: "messages", messages: [{ role: "user", content: "Hello" }] }));
    assert.equal(model.tokenizer.decode(ids, { skipSpecialTokens: false }), "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n");
    assert.deepEqual(runSlices(readPrompt(model, { kind: "text", text: "Hello" })), model.tokenizer.encode("Hello"));
    assert.deepEqual(runSlices(readPrompt(model, { kind: "tokens", ids: [0, 5] })), [0, 5]);
  });

  test("refuses token ids that it does not have", () => {
    for (const id of [-1, tinyVocabSize, 1.5, Number.NaN]) {
      refuses(() => runSlices(readPrompt(model, { kind: "tokens", ids: [1, id] })), "invalid_request", "prompt", /ids go from 0 to/);
    }
  });

  test("refuses a prompt of no tokens", () => {
    refuses(() => runSlices(readPrompt(model, { kind: "tokens", ids: [] })), "invalid_request", "prompt", /empty/);
    refuses(() => runSlices(readPrompt(model, { kind: "text", text: "" })), "invalid_request", "prompt", /empty/);
  });

  test("refuses text that cannot fit before it is tokenised", () => {
    const text = "x".repeat(1_000_000);
    refuses(() => runSlices(readPrompt(model, { kind: "text", text })), "context_length_exceeded", "prompt", /1000000 characters/);
    const messages = [{ role: "user" as const, content: text }];
    refuses(
      () => runSlices(readPrompt(model, { kind: "messages", messages })),
      "context_length_exceeded",
      "messages",
      /1000000 characters/,
    );
  });
});

test("a model whose tokenizer has more tokens than it has rows is refused", async () => {
  const path = join(folder, "short");
  const { config, weights } = writeTinyModel(path);
  const vocabSize = tinyVocabSize - 1;
  writeFileSync(join(path, "config.json"), JSON.stringify({ ...config, vocab_size: vocabSize }));
  assert.equal(weights[0]?.shape[0], tinyVocabSize);
  await assert.rejects(
    load(path, join(folder, "cache")),
    (error) => error instanceof BonsaiError && error.code === "invalid_model_file" && /only \d+ rows/.test(error.message),
  );
});

test("a mode that the file has no weights for is refused with the mode that it has", async () => {
  await assert.rejects(
    loadTiny(folder, {}, { quantization: "q4" }),
    (error) => error instanceof BonsaiError && error.code === "unsupported_model" && /use q8/.test(error.message),
  );
});
