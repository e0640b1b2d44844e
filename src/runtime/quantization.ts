/** @file The modes that weights can be served in: which linear scheme computes each phase, and how the cache is stored. */

import type { CacheType } from "../architectures/decode-graph.ts";
import type { LinearScheme } from "../architectures/linear.ts";
import type { Quantization } from "../config/options.ts";

export interface QuantizationPlan {
  /** Prompts: hundreds of rows at once, bound by arithmetic. */
  prefill: LinearScheme;
  /** Answers: few rows at once, bound by memory. */
  decode: LinearScheme;
  cacheType: CacheType;
}

/** A token's phase depends on its request alone, so two schemes side by side keep every answer reproducible. */
export const quantizationPlans = {
  fp32: { prefill: "fp32", decode: "fp32", cacheType: "float32" },
  q8: { prefill: "w8a8", decode: "blocks8", cacheType: "float16" },
  q4: { prefill: "w8a8", decode: "blocks4", cacheType: "float16" },
  w8a8: { prefill: "w8a8", decode: "w8a8", cacheType: "float16" },
} as const satisfies Record<Quantization, QuantizationPlan>;
