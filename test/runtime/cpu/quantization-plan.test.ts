/**
 * @file Each mode is served as it promises wherever integer sums are exact and short enough, and in other arithmetic
 * where not.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { quantizationPlan, quantizationPlans } from "../../../src/runtime/cpu/quantization-plan.ts";

const vnni = { exactCaches: "int8", exactWeights: true, fourBitRowsAgree: true } as const;
const avx2 = { exactCaches: "uint8", exactWeights: true, fourBitRowsAgree: false } as const;
const none = { exactCaches: undefined, exactWeights: false, fourBitRowsAgree: true };

test("a mode is served as it says on a processor with exact products of signed bytes", () => {
  for (const mode of ["fp32", "q8", "q4", "w8a8"] as const) assert.deepEqual(quantizationPlan(mode, 8192, vnni), quantizationPlans[mode]);
});

test("caches are unsigned on a processor that cuts sums of signed bytes, and weights stay as they are", () => {
  assert.deepEqual(quantizationPlan("w8a8", 8192, avx2), { scheme: "w8a8", cacheType: "uint8" });
  assert.deepEqual(quantizationPlan("q8", 8192, avx2), { scheme: "blocks8", cacheType: "uint8" });
  assert.deepEqual(quantizationPlan("fp32", 8192, avx2), quantizationPlans.fp32);
});

test("rows of 4-bit blocks are never alone on a processor that multiplies one row otherwise than several", () => {
  assert.deepEqual(quantizationPlan("q4", 8192, avx2), { scheme: "blocks4", cacheType: "uint8", neverAlone: true });
});

test("contexts over which integer sums could pass 32 bits have caches of floats", () => {
  assert.equal(quantizationPlan("w8a8", 131_072, vnni).cacheType, "int8");
  assert.deepEqual(quantizationPlan("w8a8", 131_073, vnni), { scheme: "w8a8", cacheType: "float16" });
  assert.equal(quantizationPlan("fp32", 262_144, vnni).cacheType, "float32");
});

test("nothing is multiplied as bytes on a processor that cuts all sums", () => {
  assert.deepEqual(quantizationPlan("w8a8", 8192, none), { scheme: "blocks8", cacheType: "float16" });
  assert.deepEqual(quantizationPlan("q4", 8192, none), { scheme: "blocks4", cacheType: "float16" });
});
