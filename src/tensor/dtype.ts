/**
 * @file The storage types of weights in model files: names as in GGUF and safetensors, and how many bytes a run of
 * values takes.
 */

export interface DTypeInfo {
  /** Values in one block; 1 for plain types. */
  blockSize: number;
  /** Bytes of one block. */
  blockBytes: number;
}

/** Sizes of GGML's blocks: ggml/src/ggml-common.h of llama.cpp. */
export const dtypes = {
  F64: { blockSize: 1, blockBytes: 8 },
  F32: { blockSize: 1, blockBytes: 4 },
  F16: { blockSize: 1, blockBytes: 2 },
  BF16: { blockSize: 1, blockBytes: 2 },
  Q4_0: { blockSize: 32, blockBytes: 18 },
  Q4_1: { blockSize: 32, blockBytes: 20 },
  Q5_0: { blockSize: 32, blockBytes: 22 },
  Q5_1: { blockSize: 32, blockBytes: 24 },
  Q8_0: { blockSize: 32, blockBytes: 34 },
  Q4_K: { blockSize: 256, blockBytes: 144 },
  Q5_K: { blockSize: 256, blockBytes: 176 },
  Q6_K: { blockSize: 256, blockBytes: 210 },
} as const satisfies Record<string, DTypeInfo>;

export type DType = keyof typeof dtypes;
