/**
 * @file What every model on disk looks like to the rest of the program, whether it came as GGUF or as a Hugging Face
 * folder.
 */

import type { DType } from "../tensor/dtype.ts";

export interface WeightInfo {
  /** Hugging Face name, such as `model.layers.0.self_attn.q_proj.weight`. */
  name: string;
  dtype: DType;
  /** Row-major, outermost dimension first: a linear layer is [out, in], as in PyTorch. */
  shape: readonly number[];
}

/** The weights of one model. All sizes were checked against the files when it was opened. */
export interface WeightSource {
  readonly infos: ReadonlyMap<string, WeightInfo>;
  /**
   * The tensor's bytes as they are stored, in PyTorch's row order (rows that a converter permuted are put back). A
   * fresh buffer.
   */
  readRaw(name: string): Uint8Array<ArrayBuffer>;
  /** The tensor dequantised to fp32: a fresh array of product(shape) values. */
  readFloat32(name: string): Float32Array<ArrayBuffer>;
  close(): void;
}

/** tokenizer.json and tokenizer_config.json, parsed; a GGUF's metadata is translated into the same form. */
export interface TokenizerFiles {
  tokenizerJson: Record<string, unknown>;
  tokenizerConfig: Record<string, unknown>;
  /** Jinja source, from the file only. */
  chatTemplate: string | undefined;
}

export interface ModelFile {
  /** The GGUF file or the folder. */
  path: string;
  format: "gguf" | "huggingface";
  /** Hugging Face's config.json; a GGUF's metadata is translated into the same keys. */
  config: Record<string, unknown>;
  /** Ids that end an answer: generation_config.json, then config.json, then the tokenizer. */
  eosTokenIds: number[];
  weights: WeightSource;
  tokenizer: TokenizerFiles;
  /** SHA-256 over config, tokenizer and weights, hex. */
  contentHash: string;
}
