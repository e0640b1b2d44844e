/**
 * @file Writes the frozen weights of a training into one file that its graphs map: float32 or 8-bit blocks, and rotary
 * tables.
 */

import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { blocks8, blockSize8 } from "../../architectures/quantization/linear.ts";
import type { LinearWeight } from "../../architectures/decoder/decoder-weights.ts";
import { rotaryTables } from "../../architectures/decoder/rotary.ts";
import { blockNames } from "../../architectures/training/training-layers.ts";
import type { WeightSource } from "../../formats/model-file.ts";
import type { ElementArray } from "../../onnx/data-type.ts";
import type { ExternalDataWriter } from "../../onnx/external-data.ts";
import type { InitializerData } from "../../onnx/graph.ts";

/**
 * 32: as float32. 8: the linear layers in 8-bit blocks with a scale each (after QLoRA, Dettmers et al. 2023, which has
 * 4 bits).
 */
export type BaseBits = 8 | 32;

export class FrozenWeights {
  readonly #config: DecoderConfig | undefined;
  readonly #source: WeightSource;
  readonly #data: ExternalDataWriter;
  readonly #bits: BaseBits;

  /** @param config of a decoder, whose rotary tables are among what is not trained */
  constructor(config: DecoderConfig | undefined, source: WeightSource, data: ExternalDataWriter, bits: BaseBits) {
    this.#config = config;
    this.#source = source;
    this.#data = data;
    this.#bits = bits;
  }

  /** Inputs that share a scale in the linear layer of this name, or undefined where it stays in float32. */
  blockSize(module: string): number | undefined {
    const weight = this.#linear(module);
    const blockSize = blockSize8(this.#source, weight);
    return this.#bits === 8 && weight.inputs % blockSize === 0 ? blockSize : undefined;
  }

  /** Where the bytes of a weight of this name are; it is written when it is asked for first. */
  locate(name: string): InitializerData {
    return this.#data.add(name, () => this.#make(name));
  }

  #make(name: string): ElementArray {
    if (name === "rotary.cos" || name === "rotary.sin") return this.#rotary(name);
    const { blocks, scales } = blockNames("");
    if (name.endsWith(scales)) return blocks8(this.#source, this.#linear(name.slice(0, -scales.length))).scales;
    if (name.endsWith(blocks)) return blocks8(this.#source, this.#linear(name.slice(0, -blocks.length))).data;
    return this.#source.readFloat32(name);
  }

  #rotary(name: "rotary.cos" | "rotary.sin"): ElementArray {
    const { position, headDim = 0, contextLength = 0 } = this.#config ?? {};
    if (position?.kind !== "rotary") throw new TypeError("Learned positions have no rotary tables.");
    const { cos, sin } = rotaryTables(position.rotary, headDim, contextLength);
    return name === "rotary.cos" ? cos : sin;
  }

  #linear(module: string): LinearWeight {
    const weight = `${module}.weight`;
    const [outputs, inputs] = this.#source.infos.get(weight)!.shape as [number, number];
    return { name: module, outputs, inputs, weights: [weight], partOutputs: [outputs], biases: [] };
  }
}
