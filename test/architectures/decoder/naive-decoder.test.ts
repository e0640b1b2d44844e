/** @file The naive decoder equals PyTorch, so that what equals the naive decoder is right. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { goldenCases, goldenModels, goldenPath, largestDifference } from "../goldens.ts";
import { NaiveDecoder } from "../naive-decoder.ts";

describe("the naive decoder", () => {
  for (const name of goldenModels) {
    test(`computes PyTorch's logits and greedy answers of ${name}`, () => {
      const file = openModel(goldenPath(name));
      const naive = new NaiveDecoder(readDecoderConfig(file.config, file.path), file.weights);
      for (const { ids, positions, logits, greedy } of goldenCases(name)) {
        const computed = naive.logits(ids);
        positions.forEach((position, at) => {
          // The goldens have six digits.
          assert.ok(largestDifference(computed[position]!, logits[at]!) < 1e-4, `after token ${position}`);
        });
        assert.deepEqual(naive.greedy(ids, 6), greedy.ids.slice(0, 6));
      }
      file.weights.close();
    });
  }
});
