/** @file The weights of a GGUF file under their Hugging Face names and in PyTorch's row order. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { dequantize } from "../../tensor/blocks.ts";
import type { BoundedFile } from "../bounded-file.ts";
import type { GgufArchitecture } from "./gguf-config.ts";
import type { GgufTensor } from "./gguf.ts";
import type { WeightInfo, WeightSource } from "../model-file.ts";

/**
 * GGUF's name of a module (gguf-py's tensor_mapping.py of llama.cpp), outside and inside of layers, to Hugging Face's.
 */
interface ModuleNames {
  roots: Readonly<Record<string, string>>;
  layerPrefix: string;
  layer: Readonly<Record<string, string>>;
}

const llamaNames: ModuleNames = {
  roots: { token_embd: "model.embed_tokens", output_norm: "model.norm", output: "lm_head" },
  layerPrefix: "model.layers.",
  layer: {
    attn_norm: "input_layernorm",
    attn_q: "self_attn.q_proj",
    attn_k: "self_attn.k_proj",
    attn_v: "self_attn.v_proj",
    attn_output: "self_attn.o_proj",
    attn_q_norm: "self_attn.q_norm",
    attn_k_norm: "self_attn.k_norm",
    ffn_norm: "post_attention_layernorm",
    ffn_gate: "mlp.gate_proj",
    ffn_up: "mlp.up_proj",
    ffn_down: "mlp.down_proj",
  },
};

const gpt2Names: ModuleNames = {
  roots: { token_embd: "transformer.wte", position_embd: "transformer.wpe", output_norm: "transformer.ln_f", output: "lm_head" },
  layerPrefix: "transformer.h.",
  layer: {
    attn_norm: "ln_1",
    attn_qkv: "attn.c_attn",
    attn_output: "attn.c_proj",
    ffn_norm: "ln_2",
    ffn_up: "mlp.c_fc",
    ffn_down: "mlp.c_proj",
  },
};

const namesOf: Readonly<Record<GgufArchitecture, ModuleNames>> = {
  llama: llamaNames,
  qwen2: llamaNames,
  qwen3: llamaNames,
  gpt2: gpt2Names,
};

/** Rotary factors, which belong to the config. */
export const ROPE_FACTORS_TENSOR = "rope_freqs.weight";

interface LocatedTensor {
  tensor: GgufTensor;
  info: WeightInfo;
  /** Heads within which the converter interleaved the rows; 0: the rows are in order. */
  interleavedHeads: number;
}

function huggingFaceName(architecture: GgufArchitecture, name: string): string | undefined {
  const names = namesOf[architecture];
  const { layer, module, kind } = /^(?:blk\.(?<layer>\d{1,6})\.)?(?<module>\w+)\.(?<kind>weight|bias)$/.exec(name)?.groups ?? {};
  const table = layer === undefined ? names.roots : names.layer;
  if (module === undefined || !Object.hasOwn(table, module)) return undefined;
  return layer === undefined ? `${table[module]}.${kind}` : `${names.layerPrefix}${Number(layer)}.${table[module]}.${kind}`;
}

/**
 * The weights of a file that was opened and checked by `readGguf`.
 *
 * For the architecture `llama` the converter of llama.cpp interleaves the rows of q_proj and k_proj inside each head,
 * so that its rotary embedding finds the two halves of a pair side by side; they are put back here.
 * @throws BonsaiError `unsupported_model` that names a tensor which the architecture does not know;
 * `invalid_model_file` when rows do not divide into heads.
 */
export class GgufWeights implements WeightSource {
  readonly infos: ReadonlyMap<string, WeightInfo>;
  readonly #file: BoundedFile;
  readonly #tensors: ReadonlyMap<string, LocatedTensor>;

  constructor(file: BoundedFile, architecture: GgufArchitecture, tensors: Iterable<GgufTensor>, heads: number, keyValueHeads: number) {
    const located = new Map<string, LocatedTensor>();
    for (const tensor of tensors) {
      if (tensor.name === ROPE_FACTORS_TENSOR) continue;
      const label = `tensor ${JSON.stringify(tensor.name)}`;
      const name = huggingFaceName(architecture, tensor.name);
      if (name === undefined)
        throw new BonsaiError(
          "unsupported_model",
          `${file.path}: ${label} is not part of the ${architecture} architecture as it is supported.`,
        );
      if (located.has(name)) throw new BonsaiError("invalid_model_file", `${file.path}: ${label} occurs twice.`);
      const interleavedHeads =
        architecture !== "llama" ? 0 : name.includes(".q_proj.") ? heads : name.includes(".k_proj.") ? keyValueHeads : 0;
      if (interleavedHeads > 0 && tensor.shape[0]! % (2 * interleavedHeads) !== 0) {
        throw new BonsaiError(
          "invalid_model_file",
          `${file.path}: ${label} has ${tensor.shape[0]} rows, which are not ${interleavedHeads} heads of an even size.`,
        );
      }
      located.set(name, { tensor, info: { name, dtype: tensor.dtype, shape: tensor.shape }, interleavedHeads });
    }
    this.#file = file;
    this.#tensors = located;
    this.infos = new Map([...located].map(([name, { info }]) => [name, info]));
  }

  readRaw(name: string): Uint8Array<ArrayBuffer> {
    const { tensor, interleavedHeads } = this.#tensor(name);
    const bytes = this.#file.read(tensor.offset, tensor.byteLength, `tensor ${JSON.stringify(tensor.name)}`);
    return interleavedHeads === 0 ? bytes : deinterleaveRows(bytes, tensor.shape[0]!, interleavedHeads);
  }

  readFloat32(name: string): Float32Array<ArrayBuffer> {
    const { tensor } = this.#tensor(name);
    const bytes = this.readRaw(name);
    if (tensor.dtype === "F32") return new Float32Array(bytes.buffer);
    return dequantize(tensor.dtype, bytes, valueCount(tensor));
  }

  close(): void {
    this.#file.close();
  }

  #tensor(name: string): LocatedTensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new BonsaiError("invalid_model_file", `${this.#file.path} has no tensor for ${JSON.stringify(name)}.`);
    return tensor;
  }
}

/** Reads one tensor of a file as fp32, in the file's own order. */
export function readGgufTensor(file: BoundedFile, tensor: GgufTensor): Float32Array<ArrayBuffer> {
  return dequantize(tensor.dtype, file.read(tensor.offset, tensor.byteLength, `tensor ${JSON.stringify(tensor.name)}`), valueCount(tensor));
}

function valueCount(tensor: GgufTensor): number {
  return tensor.shape.reduce((product, size) => product * size, 1);
}

/** Row 2i + j of each head goes to row i + j * half of it; rows are whole blocks, so that their bytes just move. */
function deinterleaveRows(bytes: Uint8Array<ArrayBuffer>, rows: number, heads: number): Uint8Array<ArrayBuffer> {
  const rowBytes = bytes.byteLength / rows;
  const headRows = rows / heads;
  const half = headRows / 2;
  const result = new Uint8Array(bytes.byteLength);
  for (let head = 0; head < rows; head += headRows) {
    for (let row = 0; row < headRows; row++) {
      const from = head + 2 * (row % half) + Math.floor(row / half);
      result.set(bytes.subarray(from * rowBytes, (from + 1) * rowBytes), (head + row) * rowBytes);
    }
  }
  return result;
}
