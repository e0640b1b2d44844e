/** @file Each mode is served as it promises wherever integer sums are exact and short enough, and in other arithmetic where not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { quantizationPlan, quantizationPlans } from "../../src/runtime/quantization.ts";

test("a mode is served as it says on a processor with exact products of signed bytes", () => {
  for (const mode of ["fp32", "q8", "q4", "w8a8"] as const) assert.deepEqual(quantizationPlan(mode, 8192, "int8"), quantizationPlans[mode]);
});

test("weights and caches are unsigned on a processor whose products are exact for them alone", () => {
  assert.deepEqual(quantizationPlan("w8a8", 8192, "uint8"), { scheme: "w8a8", cacheType: "uint8", byteType: "uint8" });
  assert.deepEqual(quantizationPlan("q8", 8192, "uint8"), { scheme: "blocks8", cacheType: "uint8" });
  assert.deepEqual(quantizationPlan("fp32", 8192, "uint8"), quantizationPlans.fp32);
});

test("contexts over which integer sums could pass 32 bits have caches of floats", () => {
  assert.equal(quantizationPlan("w8a8", 131_072, "int8").cacheType, "int8");
  assert.deepEqual(quantizationPlan("w8a8", 131_073, "int8"), { scheme: "w8a8", cacheType: "float16", byteType: "int8" });
  assert.equal(quantizationPlan("fp32", 262_144, "int8").cacheType, "float32");
});

test("nothing is multiplied as bytes on a processor that cuts all sums", () => {
  assert.deepEqual(quantizationPlan("w8a8", 8192, undefined), { scheme: "blocks8", cacheType: "float16" });
  assert.deepEqual(quantizationPlan("q4", 8192, undefined), { scheme: "blocks4", cacheType: "float16" });
});
