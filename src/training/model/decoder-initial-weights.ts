/**
 * @file First weights, drawn from a seed: those of a decoder as transformers draws them, and LoRA factors as PEFT does.
 */

import { join } from "node:path";

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { decoderWeightShapes } from "../../architectures/decoder/decoder-weights.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import { normalPair } from "../../random/normal-pair.ts";
import { philox4x32 } from "../../random/philox.ts";
import type { WeightInfo, WeightSource } from "../../formats/model-file.ts";

/** transformers' default of `initializer_range`. */
const defaultDeviation = 0.02;
/** The fourth counter word: keeps these numbers apart from others of the same seed. */
const domain = 0x1e17;

/**
 * Standard deviation of new matrices: the config's `initializer_range`, or transformers' default.
 * @param folder of the model, as errors name it
 * @throws BonsaiError `invalid_model_file` for what is no number above 0.
 */
export function initializerRange({ initializer_range: range }: JsonObject, folder: string): number {
  if (range === undefined || range === null) return defaultDeviation;
  if (typeof range === "number" && Number.isFinite(range) && range > 0) return range;
  throw new BonsaiError("invalid_model_file", `${join(folder, "config.json")}: initializer_range must be a number above 0.`, {
    param: "initializer_range",
  });
}

/**
 * Weights for pre-training (transformers' `_init_weights`): matrices normal with the given deviation, norms one, biases
 * zero. GPT-2's projections back into the residual stream are divided by the square root of twice its layers (Radford
 * et al. 2019, section 2.3). A tensor's values depend on seed and name alone.
 */
export function initialDecoderWeights(config: DecoderConfig, seed: number, deviation = defaultDeviation): WeightSource {
  const shapes = decoderWeightShapes(config);
  const infos = new Map([...shapes].map(([name, shape]): [string, WeightInfo] => [name, { name, dtype: "F32", shape }]));
  const readFloat32 = (name: string): Float32Array<ArrayBuffer> => {
    const shape = shapes.get(name) as readonly number[];
    const length = shape.reduce((product, size) => product * size, 1);
    if (shape.length === 1) return new Float32Array(length).fill(name.endsWith(".bias") ? 0 : 1);
    const isResidual = config.family === "gpt2" && name.endsWith(".c_proj.weight");
    return normalValues(seed, name, length, isResidual ? deviation / Math.sqrt(2 * config.layers) : deviation);
  };
  return { infos, readFloat32, readRaw: (name) => new Uint8Array(readFloat32(name).buffer), close: () => {} };
}

/**
 * A: Kaiming's uniform distribution with a = sqrt(5), which is from -1 to 1 over the root of the inputs (PEFT's
 * `reset_lora_parameters`).
 */
export function initialLoraA(seed: number, name: string, rank: number, inputs: number): Float32Array<ArrayBuffer> {
  const bound = 1 / Math.sqrt(inputs);
  const values = new Float32Array(rank * inputs);
  drawWords(seed, name, values.length, (at, word) => (values[at] = (2 * unit(word) - 1) * bound));
  return values;
}

/** Normal values around zero: a pure function of seed and name. */
export function normalValues(seed: number, name: string, length: number, scale: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  let first = 0;
  drawWords(seed, name, length + (length % 2), (at, word) => {
    if (at % 2 === 0) {
      first = unit(word);
    } else {
      const [even, odd] = normalPair(first, unit(word), scale);
      values[at - 1] = even;
      if (at < length) values[at] = odd;
    }
  });
  return values;
}

/** Above 0 and below 1. */
function unit(word: number): number {
  return (word + 0.5) / 2 ** 32;
}

/** Calls `use` with as many random words as asked for, a pure function of seed, name and place. */
function drawWords(seed: number, name: string, count: number, use: (at: number, word: number) => void): void {
  const key = [(seed ^ hashOfName(name)) >>> 0, Math.floor(seed / 2 ** 32) >>> 0] as const;
  for (let at = 0; at < count; at += 4) {
    const block = philox4x32([at / 4, 0, 0, domain], key);
    for (let word = 0; word < Math.min(4, count - at); word++) use(at + word, block[word] as number);
  }
}

/** FNV-1a (Fowler, Noll and Vo), 32 bits. */
function hashOfName(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}
