/**
 * @file The modes that a model can be served in: how its linear layers are computed, and how keys and values are
 * stored.
 */

import { isByteCache, longestByteCache } from "../../architectures/decoder/cached-attention.ts";
import type { Quantization } from "../../config/options.ts";
import type { QuantizationPlan } from "../artifacts/decoder-artifacts.ts";
import type { ProcessorKernels } from "./integer-products.ts";

export const quantizationPlans = {
  fp32: { scheme: "fp32", cacheType: "float32" },
  q8: { scheme: "blocks8", cacheType: "int8" },
  q4: { scheme: "blocks4", cacheType: "int8" },
  w8a8: { scheme: "w8a8", cacheType: "int8" },
} as const satisfies Record<Quantization, QuantizationPlan>;

/**
 * The plan of a mode for one model on one machine. Integer sums must stay within 32 bits, so long contexts have caches
 * of floats; where no product of bytes is exact, nothing is multiplied that way.
 */
export function quantizationPlan(
  mode: Quantization,
  contextLength: number,
  { exactCaches, exactWeights, fourBitRowsAgree }: ProcessorKernels,
): QuantizationPlan {
  const { scheme, cacheType } = quantizationPlans[mode];
  const exactCache = contextLength <= longestByteCache ? (exactCaches ?? "float16") : "float16";
  return {
    cacheType: isByteCache(cacheType) ? exactCache : cacheType,
    ...(scheme === "blocks4" && !fourBitRowsAgree ? { neverAlone: true } : {}),
    scheme: scheme === "w8a8" && !exactWeights ? "blocks8" : scheme,
  };
}
