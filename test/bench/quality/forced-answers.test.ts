/**
 * @file Tests that every token of a forced answer is predicted once and from its place, in chunks and step by step,
 * against the naive decoder.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readDecoderConfig } from "../../../src/architectures/decoder/decoder-config.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { largestDifference } from "../../architectures/goldens.ts";
import { NaiveDecoder } from "../../architectures/naive-decoder.ts";
import { RandomChoices } from "../../engine/random-requests.ts";
import { load } from "../../engine/tiny-engine.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { writeTinyModel } from "../../fixtures/tiny-model.ts";
import { forceByDecoding, forceByPrefill, type Conversation } from "./forced-answers.ts";

const folder = temporaryFolder();

describe("forced answers", () => {
  test("are predicted as the naive decoder predicts them, token for token, in both phases", async () => {
    const path = join(folder, "model");
    writeTinyModel(path);
    const file = openModel(path);
    const config = readDecoderConfig(file.config, path);
    const naive = new NaiveDecoder(config, file.weights);
    const { device } = await load(path, join(folder, "cache"));
    const random = new RandomChoices(3);
    const conversations = [
      [1, 1],
      [5, 9],
      [64, 3],
      [65, 70],
    ].map(([prompt, answer]): Conversation => {
      const ids = (count: number): number[] => random.integers(count, 0, config.vocabSize - 1);
      return { promptIds: ids(prompt as number), answerIds: ids(answer as number) };
    });
    for (const force of [forceByPrefill, forceByDecoding]) {
      const heard = conversations.map((): Float32Array[] => []);
      await force(device, conversations, (index, at, logits) => {
        assert.equal(heard[index]?.[at], undefined, "a token is predicted once");
        (heard[index] as Float32Array[])[at] = logits.slice();
      });
      conversations.forEach(({ promptIds, answerIds }, index) => {
        const expected = naive.logits([...promptIds, ...answerIds]).slice(promptIds.length - 1, -1);
        assert.equal(heard[index]?.length, answerIds.length);
        expected.forEach((row, at) =>
          assert.ok(largestDifference(row, heard[index]?.[at] as Float32Array) < 1e-4, `token ${at} of ${index}`),
        );
      });
    }
    await device.dispose();
    file.weights.close();
  });
});
