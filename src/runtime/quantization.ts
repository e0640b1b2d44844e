/** @file The modes that a model can be served in: how its linear layers are computed, and how keys and values are stored. */

import type { CacheType } from "../architectures/decoder-graph.ts";
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
