/**
 * @file A base model's weights with an adapter added to them: W + scale B A where the adapter has a pair, W elsewhere.
 */

import { BonsaiError } from "../errors/bonsai-error.ts";
import type { WeightInfo, WeightSource } from "./model-file.ts";
import { loraScale, type LoraAdapter, type LoraPair } from "./peft-adapter.ts";

/**
 * The merged weights, computed when asked for; merged ones are F32. Closing closes `base`.
 * @throws BonsaiError `invalid_model_file` naming the layer that the base does not have, or has in another shape;
 * `unsupported_model` for the adapter of a reward model.
 */
export function mergeAdapter(base: WeightSource, adapter: LoraAdapter): WeightSource {
  if (adapter.score !== undefined)
    throw new BonsaiError(
      "unsupported_model",
      "The adapter is a reward model, whose head the base does not have: it is served as an adapter.",
    );
  return mergePairs(base, adapter);
}

/**
 * A BERT's weights with an adapter's pairs added and its classifier in place, as `mergeAdapter` does it.
 * @param path of the adapter, for errors
 * @throws BonsaiError `invalid_model_file` where it has no classifier, or one that the encoder's hidden states do not
 * fit.
 */
export function mergeEncoderAdapter(base: WeightSource, adapter: LoraAdapter, path: string): WeightSource {
  const { score } = adapter;
  if (score?.bias?.length !== score?.outputs || score === undefined) {
    throw new BonsaiError(
      "invalid_model_file",
      `${path}: an encoder's adapter needs the tensors classifier.weight and classifier.bias, with one number of it for each output.`,
    );
  }
  const head = new Map([
    ["classifier.weight", { shape: [score.outputs, score.inputs], data: score.weight }],
    ["classifier.bias", { shape: [score.outputs], data: score.bias! }],
  ]);
  const merged = mergePairs(base, adapter);
  const infos = new Map(merged.infos);
  for (const [name, { shape }] of head) infos.set(name, { name, dtype: "F32", shape });
  const readFloat32 = (name: string): Float32Array<ArrayBuffer> => head.get(name)?.data.slice() ?? merged.readFloat32(name);
  return {
    infos,
    readFloat32,
    readRaw: (name) => (head.has(name) ? new Uint8Array(readFloat32(name).buffer) : merged.readRaw(name)),
    close: () => merged.close(),
  };
}

function mergePairs(base: WeightSource, adapter: LoraAdapter): WeightSource {
  const infos = new Map(base.infos);
  const pairs = new Map<string, LoraPair>();
  for (const [layer, pair] of adapter.pairs) {
    const name = `${layer}.weight`;
    const info = base.infos.get(name);
    if (info === undefined)
      throw new BonsaiError("invalid_model_file", `The adapter changes the layer ${layer}, which the base model does not have.`);
    if (info.shape.join() !== `${pair.outputs},${pair.inputs}`) {
      throw new BonsaiError(
        "invalid_model_file",
        `The adapter changes the layer ${layer} as [${pair.outputs}, ${pair.inputs}], but the base model has it as [${info.shape.join(", ")}].`,
      );
    }
    pairs.set(name, pair);
    infos.set(name, { ...info, dtype: "F32" });
  }
  return new MergedWeights(base, infos, pairs, loraScale(adapter));
}

class MergedWeights implements WeightSource {
  readonly infos: ReadonlyMap<string, WeightInfo>;
  readonly #base: WeightSource;
  readonly #pairs: ReadonlyMap<string, LoraPair>;
  readonly #scale: number;

  constructor(base: WeightSource, infos: ReadonlyMap<string, WeightInfo>, pairs: ReadonlyMap<string, LoraPair>, scale: number) {
    this.infos = infos;
    this.#base = base;
    this.#pairs = pairs;
    this.#scale = scale;
  }

  readRaw(name: string): Uint8Array<ArrayBuffer> {
    return this.#pairs.has(name) ? new Uint8Array(this.readFloat32(name).buffer) : this.#base.readRaw(name);
  }

  readFloat32(name: string): Float32Array<ArrayBuffer> {
    const values = this.#base.readFloat32(name);
    const pair = this.#pairs.get(name);
    if (pair !== undefined) addProduct(values, pair, this.#scale);
    return values;
  }

  close(): void {
    this.#base.close();
  }
}

/** values [outputs, inputs] += scale B A; each sum in float64, rounded once. */
function addProduct(values: Float32Array, { a, b, inputs, outputs }: LoraPair, scale: number): void {
  const rank = a.length / inputs;
  const row = new Float64Array(inputs);
  for (let output = 0; output < outputs; output++) {
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = b[output * rank + k]!;
      if (factor === 0) continue;
      for (let input = 0; input < inputs; input++) row[input]! += factor * a[k * inputs + input]!;
    }
    for (let input = 0; input < inputs; input++) values[output * inputs + input]! += scale * row[input]!;
  }
}
