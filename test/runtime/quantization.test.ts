/** @file Each mode is served as it promises wherever integer sums are exact and short enough, and in other arithmetic where not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { quantizationPlan, quantizationPlans } from "../../src/runtime/quantization.ts";

test("a mode is served as it says on a processor with exact products", () => {
  for (const mode of ["fp32", "q8", "q4", "w8a8"] as const) assert.deepEqual(quantizationPlan(mode, 8192, true), quantizationPlans[mode]);
});

test("contexts over which integer sums could pass 32 bits have caches of floats", () => {
  assert.deepEqual(quantizationPlan("w8a8", 131_072, true), { scheme: "w8a8", cacheType: "int8" });
  assert.deepEqual(quantizationPlan("w8a8", 131_073, true), { scheme: "w8a8", cacheType: "float16" });
  assert.equal(quantizationPlan("fp32", 262_144, true).cacheType, "float32");
});

test("nothing is multiplied as bytes on a processor that cuts the sums", () => {
  assert.deepEqual(quantizationPlan("w8a8", 8192, false), { scheme: "blocks8", cacheType: "float16" });
  assert.deepEqual(quantizationPlan("q4", 8192, false), { scheme: "blocks4", cacheType: "float16" });
});
