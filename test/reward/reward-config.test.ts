/** @file reward.json is read back as it was written, and refused with the key at fault when it is not one. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { rawNormalization, readRewardConfig, writeRewardConfig, type RewardConfig } from "../../src/reward/reward-config.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { assertRefused } from "../formats/expect-error.ts";

const file = {
  form: "decoder",
  dimensions: ["usefulness", "friendliness", "safety"],
  weights: [0.6, 0.2, 0.2],
  normalization: {
    mean: [0.5, -1, 0],
    deviation: [1, 2, 0.25],
    holistic: { mean: 0.1, deviation: 0.75 },
    reference: "2,000 answers of teddy-sft",
  },
  max_length: 512,
};

const config: RewardConfig = {
  form: "decoder",
  dimensions: ["usefulness", "friendliness", "safety"],
  weights: [0.6, 0.2, 0.2],
  normalization: {
    dimensions: [
      { mean: 0.5, deviation: 1 },
      { mean: -1, deviation: 2 },
      { mean: 0, deviation: 0.25 },
    ],
    holistic: { mean: 0.1, deviation: 0.75 },
    reference: "2,000 answers of teddy-sft",
  },
  maxLength: 512,
  policy: undefined,
};

const folder = temporaryFolder();
const path = join(folder, "reward.json");

function read(value: unknown): RewardConfig {
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
  return readRewardConfig(folder);
}

test("a config is written under the keys that the format names, and read back the same", () => {
  writeRewardConfig(folder, config);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), file);
  assert.deepEqual(readRewardConfig(folder), config);
});

test("what an answer's length costs is read back as it was written", () => {
  const lengthPenalty = { perHundred: 0.375, reference: "half of the slope on 1,000 answers" };
  writeRewardConfig(folder, { ...config, lengthPenalty });
  assert.deepEqual((JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>)["length_penalty"], { per_100_characters: 0.375, reference: lengthPenalty.reference }); // prettier-ignore
  assert.deepEqual(readRewardConfig(folder), { ...config, lengthPenalty });
  assertRefused(() => read({ ...file, length_penalty: { per_100_characters: "much", reference: "" } }), "invalid_model_file", /length_penalty\.per_100_characters/); // prettier-ignore
});

test("what prefixes of answers are worth is read back as it was written, and must be in order", () => {
  const prefixes = {
    reference: "teddy-sft, 100 prompts with 16 answers each",
    meanTokens: 40.5,
    correlations: [
      { tokens: 8, correlation: 0.25 },
      { tokens: 16, correlation: -0.5 },
    ],
  };
  for (const measured of [prefixes, { ...prefixes, valueModel: "teddy-value" }]) {
    writeRewardConfig(folder, { ...config, prefixes: measured });
    assert.deepEqual(readRewardConfig(folder), { ...config, prefixes: measured });
  }
  assertRefused(
    () => writeRewardConfig(folder, { ...config, prefixes: { ...prefixes, correlations: prefixes.correlations.toReversed() } }),
    "invalid_model_file",
    /prefixes\.correlations\.1\.tokens must be more/,
  );
});

test("a policy's head names its policy and what it was trained on", () => {
  const policy = { name: "teddy-sft", sha256: "0123456789abcdef".repeat(4) };
  const head: RewardConfig = {
    form: "policy-head",
    dimensions: ["reward"],
    weights: [1],
    normalization: rawNormalization(1),
    maxLength: 512,
    policy,
  };
  writeRewardConfig(folder, head);
  assert.deepEqual(readRewardConfig(folder), head);
});

test("what is not a reward model's config is refused with the key at fault", () => {
  const { weights: _, ...withoutWeights } = file;
  const cases: [value: unknown, message: RegExp][] = [
    ["[]", /not a JSON object/],
    ["{", /not JSON/],
    [`{"form": "decoder", ${JSON.stringify(file).slice(1)}`, /form is there twice/],
    [withoutWeights, /weights is missing/],
    [{ ...file, normalisation: {} }, /normalisation is no key of it\. Did you mean normalization\?/],
    [{ ...file, form: "bert" }, /form must be one of "decoder", "encoder", "policy-head", "implicit", "value"\./],
    [{ ...file, dimensions: [] }, /dimensions/],
    [{ ...file, dimensions: ["a", "b", "a"] }, /dimensions names "a" twice/],
    [{ ...file, dimensions: ["a", "b", "__proto__"] }, /dimensions\.2/],
    [{ ...file, weights: [1, 1] }, /weights has 2 numbers and there are 3 dimensions/],
    [{ ...file, weights: [0, 0, 0] }, /weights are all 0/],
    [{ ...file, weights: [1, "1", 1] }, /weights\.1/],
    [JSON.stringify(file).replace("0.6", "1e400"), /weights\.0/],
    [{ ...file, normalization: { ...file.normalization, mean: [0] } }, /normalization\.mean has 1 numbers/],
    [{ ...file, normalization: { ...file.normalization, deviation: [1, 0, 1] } }, /normalization\.deviation\.1/],
    [{ ...file, normalization: { ...file.normalization, holistic: { mean: 0 } } }, /normalization\.holistic\.deviation is missing/],
    [{ ...file, max_length: 0 }, /max_length/],
    [{ ...file, form: "policy-head" }, /policy is missing/],
    [{ ...file, policy: { name: "x", sha256: "0".repeat(64) } }, /policy belongs to the forms "policy-head" and "implicit" only/],
    [{ ...file, form: "policy-head", policy: { name: "x", sha256: "short" } }, /policy\.sha256/],
  ];
  for (const [value, message] of cases) assertRefused(() => read(value), "invalid_model_file", message);
});

test("a config that could not be read again is not written", () => {
  assertRefused(() => writeRewardConfig(folder, { ...config, weights: [Number.NaN, 1, 1] }), "invalid_model_file", /weights/);
});

test("a folder without the file is told apart from a wrong one", () => {
  assertRefused(() => readRewardConfig(temporaryFolder()), "file_not_found", /reward\.json/);
});
