/** @file The modes that a model can be served in: how its linear layers are computed, and how keys and values are stored. */

import { longestInt8Cache, type CacheType } from "../architectures/cached-attention.ts";
import type { LinearScheme } from "../architectures/linear.ts";
import type { Quantization } from "../config/options.ts";

export interface QuantizationPlan {
  scheme: LinearScheme;
  cacheType: CacheType;
}

export const quantizationPlans = {
  fp32: { scheme: "fp32", cacheType: "float32" },
  q8: { scheme: "blocks8", cacheType: "int8" },
  q4: { scheme: "blocks4", cacheType: "int8" },
  w8a8: { scheme: "w8a8", cacheType: "int8" },
} as const satisfies Record<Quantization, QuantizationPlan>;

/**
 * The plan of a mode for one model on one machine. Integer sums must stay within 32 bits, so long contexts have caches of floats; where the
 * processor's 8-bit products are not exact, nothing is multiplied that way.
 */
export function quantizationPlan(mode: Quantization, contextLength: number, integerProductsAreExact: boolean): QuantizationPlan {
  const { scheme, cacheType } = quantizationPlans[mode];
  const integers = integerProductsAreExact && contextLength <= longestInt8Cache;
  return {
    scheme: scheme === "w8a8" && !integerProductsAreExact ? "blocks8" : scheme,
    cacheType: cacheType === "int8" && !integers ? "float16" : cacheType,
  };
}
