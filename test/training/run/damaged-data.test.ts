/** @file Whatever is in a data set or a checkpoint, reading it succeeds or gives a BonsaiError. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { readCheckpoint } from "../../../src/training/run/checkpoint.ts";
import { readDocuments, RowEncoder } from "../../../src/training/data/documents.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { damaged, damages } from "../../formats/damage.ts";
import { bigramRun } from "./bigram-run.ts";

const root = temporaryFolder();
const model = openModel(goldenPath("llama"));
model.weights.close();
const encoder = new RowEncoder(model);

/** Runs `use`; a BonsaiError of these codes is fine, anything else is not. */
function assertHandled(use: () => void, codes: readonly string[]): void {
  try {
    use();
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
  }
}

const path = join(root, "rows.jsonl");
const readRows = (): void => assertHandled(() => void readDocuments([path], encoder, 32), ["invalid_dataset"]);

test("any bytes as a data set are read or refused", () => {
  const rows = Buffer.from(
    '{"text": "añb"}\n{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n{"prompt": "a", "completion": "b"}\n',
  );
  fc.assert(
    fc.property(damages(rows.length, rows.length), (list) => {
      writeFileSync(path, damaged(rows, list));
      readRows();
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      writeFileSync(path, bytes);
      readRows();
    }),
    { numRuns: 100 },
  );
});

test("any JSON as a row, and in place of any field of a row, is read or refused", () => {
  const message = fc.record({
    role: fc.oneof(fc.constantFrom("user", "assistant"), fc.jsonValue()),
    content: fc.jsonValue(),
    name: fc.jsonValue(),
  });
  const messages = fc.oneof(fc.array(message, { maxLength: 3 }), fc.jsonValue());
  const fields = { text: fc.jsonValue(), messages, prompt: messages, completion: messages, chosen: fc.jsonValue() };
  fc.assert(
    fc.property(fc.oneof(fc.record(fields, { requiredKeys: [] }), fc.jsonValue()), (row) => {
      writeFileSync(path, JSON.stringify(row));
      readRows();
    }),
    { numRuns: 500 },
  );
});

test("any damaged checkpoint is read or refused", async () => {
  const folder = join(root, "run");
  await bigramRun(folder);
  const checkpoint = join(folder, "checkpoints/step-40");
  for (const name of ["progress.json", "state.safetensors"]) {
    const file = join(checkpoint, name);
    const original = readFileSync(file);
    fc.assert(
      fc.property(damages(original.length, Math.min(original.length, 400)), (list) => {
        writeFileSync(file, damaged(original, list));
        assertHandled(() => void readCheckpoint(checkpoint), ["invalid_model_file", "unsupported_model"]);
      }),
      { numRuns: 200 },
    );
    writeFileSync(file, original);
  }
  const progress = JSON.parse(readFileSync(join(checkpoint, "progress.json"), "utf8")) as object;
  const key = fc.constantFrom(...Object.keys(progress));
  fc.assert(
    fc.property(key, fc.jsonValue(), (changed, value) => {
      writeFileSync(join(checkpoint, "progress.json"), JSON.stringify({ ...progress, [changed]: value }));
      assertHandled(() => void readCheckpoint(checkpoint), ["invalid_model_file"]);
    }),
    { numRuns: 100 },
  );
});
