/**
 * @file BERT computes what PyTorch does, in every scheme nearly the same, and each row the same to the bit whatever
 * stands beside it.
 */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { EncoderRow } from "../../../src/architectures/encoder/bert-inputs.ts";
import { RandomChoices } from "../../engine/random-requests.ts";
import { miniLMPath, sharedDataPath, withoutMiniLM, withoutSharedData } from "../../fixtures/real-models.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { bertGolden, bertPath, goldenBerts, openBert } from "../bert-goldens.ts";
import { largestDifference } from "../goldens.ts";

const folder = temporaryFolder();
const outputs = ["hidden", "embedding", "logits"] as const;
let scratches = 0;

function scratch(): string {
  const path = join(folder, String(scratches++));
  mkdirSync(path);
  return path;
}

/** Rows of random tokens, from one to as many as the model has places. */
function randomRows(count: number, vocabSize: number, contextLength: number, seed: number): EncoderRow[] {
  const choices = new RandomChoices(seed);
  return choices.integers(count, 1, contextLength).map((length) => {
    const split = choices.integers(1, 0, length)[0]!;
    return { ids: choices.integers(length, 0, vocabSize - 1), types: Array.from({ length }, (_, place) => Number(place >= split)) };
  });
}

describe("a BERT", () => {
  for (const name of goldenBerts) {
    test(`has PyTorch's hidden states, means and logits: ${name}`, async () => {
      const bert = await openBert(bertPath(name), scratch(), outputs);
      const { cases } = bertGolden(name);
      const { hidden, embedding, logits } = await bert.run(cases);
      const { hiddenSize, labels } = bert.config;
      const length = hidden!.length / cases.length / hiddenSize;
      for (const [row, golden] of cases.entries()) {
        const at = row * length * hiddenSize;
        const states = hidden!.subarray(at, at + golden.ids.length * hiddenSize);
        assert.ok(largestDifference(states, golden.hidden.flat()) < 1e-5, `hidden states of row ${row}`);
        const mean = embedding!.subarray(row * hiddenSize, (row + 1) * hiddenSize);
        assert.ok(largestDifference(mean, golden.mean) < 1e-5, `mean of row ${row}`);
        const scores = logits!.subarray(row * labels.length, (row + 1) * labels.length);
        assert.ok(largestDifference(scores, golden.logits) < 1e-5, `logits of row ${row}`);
      }
      await bert.dispose();
    });

    test(`scores in 8 bits nearly as in fp32: ${name}`, async () => {
      const { cases } = bertGolden(name);
      const golden = cases.flatMap((row) => row.logits);
      for (const scheme of ["blocks8", "w8a8"] as const) {
        const bert = await openBert(bertPath(name), scratch(), ["logits"], { scheme });
        const { logits } = await bert.run(cases);
        const difference = largestDifference(logits!, golden);
        assert.ok(difference > 0 && difference < 0.05, `${scheme}: ${difference}`);
        await bert.dispose();
      }
    });
  }

  const models: [name: string, path: string | undefined, skip: string | false, outputs: readonly ("embedding" | "logits")[]][] = [
    ["a tiny one", bertPath("classifier"), false, ["embedding", "logits"]],
    ["all-MiniLM-L6-v2", miniLMPath(), withoutMiniLM, ["embedding"]],
  ];
  for (const [name, path, skip, wanted] of models) {
    for (const scheme of ["fp32", "blocks8", "w8a8"] as const) {
      test(`gives each row the same bits alone, among others and under any padding: ${name}, ${scheme}`, { skip }, async () => {
        const bert = await openBert(path!, scratch(), wanted, { scheme, threads: 2 });
        const { vocabSize, contextLength } = bert.config;
        const rows = randomRows(9, vocabSize, Math.min(contextLength, 100), 5);
        const together = await bert.run(rows, 160);
        for (const output of wanted) {
          const width = together[output]!.length / rows.length;
          for (const [index, row] of rows.entries()) {
            const expected = together[output]!.subarray(index * width, (index + 1) * width);
            assert.deepEqual((await bert.run([row]))[output], expected, `row ${index} alone`);
            const other = rows[(index + 1) % rows.length]!;
            assert.deepEqual((await bert.run([other, row]))[output]!.subarray(width), expected, `row ${index} beside another`);
          }
        }
        await bert.dispose();
      });
    }
  }
});

describe("all-MiniLM-L6-v2", () => {
  const vectors = "vectors/minilm/hidden.json";
  test("has the hidden states of transformers", { skip: withoutMiniLM || withoutSharedData(vectors) }, async () => {
    const { cases } = JSON.parse(readFileSync(sharedDataPath(vectors)!, "utf8")) as {
      cases: { input_ids: number[]; token_type_ids: number[]; cls_first8: number[]; mean_first8: number[]; cls_norm: number }[];
    };
    const bert = await openBert(miniLMPath()!, scratch(), ["hidden", "embedding"]);
    const rows = cases.map(({ input_ids, token_type_ids }) => ({ ids: input_ids, types: token_type_ids }));
    const { hidden, embedding } = await bert.run(rows);
    const { hiddenSize } = bert.config;
    for (const [row, golden] of cases.entries()) {
      const at = (row * hidden!.length) / cases.length;
      const first = hidden!.subarray(at, at + hiddenSize);
      assert.ok(largestDifference(first.subarray(0, 8), golden.cls_first8) < 1e-4);
      assert.ok(Math.abs(Math.hypot(...first) - golden.cls_norm) < 1e-4);
      const mean = embedding!.subarray(row * hiddenSize, (row + 1) * hiddenSize);
      assert.ok(largestDifference(mean.subarray(0, 8), golden.mean_first8) < 1e-4);
    }
    await bert.dispose();
  });
});
