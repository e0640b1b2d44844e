/** @file The modes that a model can be served in: how its linear layers are computed, and how keys and values are stored. */

import type { ByteType } from "../architectures/byte-products.ts";
import { isByteCache, longestByteCache, type CacheType } from "../architectures/cached-attention.ts";
import type { LinearScheme } from "../architectures/linear.ts";
import type { Quantization } from "../config/options.ts";

export interface QuantizationPlan {
  scheme: LinearScheme;
  cacheType: CacheType;
  /** Of weights that are bytes with one scale an output. */
  byteType?: ByteType | undefined;
}

export const quantizationPlans = {
  fp32: { scheme: "fp32", cacheType: "float32" },
  q8: { scheme: "blocks8", cacheType: "int8" },
  q4: { scheme: "blocks4", cacheType: "int8" },
  w8a8: { scheme: "w8a8", cacheType: "int8", byteType: "int8" },
} as const satisfies Record<Quantization, QuantizationPlan>;

/**
 * The plan of a mode for one model on one machine. Integer sums must stay within 32 bits, so long contexts have caches of floats.
 * @param exact the type of bytes whose products are exact on the processor; undefined for none: then nothing is multiplied that way
 */
export function quantizationPlan(mode: Quantization, contextLength: number, exact: ByteType | undefined): QuantizationPlan {
  const { scheme, cacheType } = quantizationPlans[mode];
  const exactCache = contextLength <= longestByteCache && exact !== undefined ? exact : "float16";
  return {
    cacheType: isByteCache(cacheType) ? exactCache : cacheType,
    ...(scheme !== "w8a8" ? { scheme } : exact === undefined ? { scheme: "blocks8" } : { scheme, byteType: exact }),
  };
}
