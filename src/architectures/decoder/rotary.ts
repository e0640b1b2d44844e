/**
 * @file Rotary position embedding (Su et al. 2021, RoFormer, equation 15) and the frequency scalings that model configs
 * ask for.
 */

import type { ConfigReader } from "../config-reader.ts";

export interface RotaryConfig {
  theta: number;
  scaling: RotaryScaling;
}

export type RotaryScaling =
  | { kind: "none" }
  /** Every position divided by the factor (Chen et al. 2023). */
  | { kind: "linear"; factor: number }
  /** Llama 3.1: long wavelengths divided by the factor, short ones kept, a ramp between them. */
  | { kind: "llama3"; factor: number; lowFrequencyFactor: number; highFrequencyFactor: number; originalContextLength: number };

/** Reads rope_theta and rope_scaling, or the rope_parameters that transformers 5 writes for both. */
export function readRotary(reader: ConfigReader): RotaryConfig {
  const parametersJson = reader.object("rope_parameters");
  const parameters = parametersJson === undefined ? reader : reader.within("rope_parameters", parametersJson);
  const scalingJson = parametersJson ?? reader.object("rope_scaling");
  const theta = parameters.positive("rope_theta", 10_000);
  if (scalingJson === undefined) return { theta, scaling: { kind: "none" } };
  const scaling = reader.within("rope_scaling", scalingJson);
  const kind = scaling.choice(Object.hasOwn(scalingJson, "rope_type") ? "rope_type" : "type", ["default", "linear", "llama3"], "default");
  if (kind === "default") return { theta, scaling: { kind: "none" } };
  const factor = scaling.positive("factor");
  if (kind === "linear") return { theta, scaling: { kind, factor } };
  return {
    theta,
    scaling: {
      kind,
      factor,
      lowFrequencyFactor: scaling.positive("low_freq_factor"),
      highFrequencyFactor: scaling.positive("high_freq_factor"),
      originalContextLength: scaling.positive("original_max_position_embeddings"),
    },
  };
}

/** Angles a position turns each pair of a head by: [headDim / 2], radians. */
export function rotaryFrequencies(config: RotaryConfig, headDim: number): Float64Array {
  return Float64Array.from({ length: headDim / 2 }, (_, pair) => scaled(config.theta ** ((-2 * pair) / headDim), config.scaling));
}

/** Cosines and sines of every position: each [positions, headDim / 2]. */
export function rotaryTables(
  config: RotaryConfig,
  headDim: number,
  positions: number,
): { cos: Float32Array<ArrayBuffer>; sin: Float32Array<ArrayBuffer> } {
  const frequencies = rotaryFrequencies(config, headDim);
  const half = frequencies.length;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let pair = 0; pair < half; pair++) {
      // PyTorch's reference multiplies in float32; rounding the frequency alike keeps long contexts equal to it.
      const angle = Math.fround(position * Math.fround(frequencies[pair] as number));
      cos[position * half + pair] = Math.cos(angle);
      sin[position * half + pair] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

function scaled(frequency: number, scaling: RotaryScaling): number {
  if (scaling.kind === "none") return frequency;
  if (scaling.kind === "linear") return frequency / scaling.factor;
  const wavelength = (2 * Math.PI) / frequency;
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength: original } = scaling;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low) return frequency / factor;
  const smooth = (original / wavelength - low) / (high - low);
  return (1 - smooth) * (frequency / factor) + smooth * frequency;
}
