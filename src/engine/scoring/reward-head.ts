/**
 * @file The last layer of a decoder's reward model: from one hidden state to its outputs, outside of the graph, which
 * so serves any head.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ScoreWeight } from "../../formats/safetensors/score-weight.ts";

export class RewardHead {
  readonly #score: ScoreWeight;

  /**
   * @param path for errors
   * @throws BonsaiError `invalid_model_file` where the weights are not of this many outputs over this many inputs
   */
  constructor(score: ScoreWeight, expected: { outputs: number; inputs: number }, path: string) {
    if (score.outputs !== expected.outputs || score.inputs !== expected.inputs) {
      throw new BonsaiError(
        "invalid_model_file",
        `${path}: score.weight has shape [${score.outputs}, ${score.inputs}], and reward.json and the model need [${expected.outputs}, ${expected.inputs}].`,
      );
    }
    const { bias } = score;
    if (bias !== undefined && bias.length !== expected.outputs) {
      throw new BonsaiError("invalid_model_file", `${path}: score.bias has ${bias.length} numbers, not ${expected.outputs}.`);
    }
    this.#score = score;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#score.weight.buffer);
  }

  /**
   * The outputs of a hidden state [inputs], each sum in float64 and one order: the same to the bit whoever is scored
   * beside it.
   */
  outputs(hidden: Float32Array): number[] {
    const { weight, bias, outputs, inputs } = this.#score;
    return Array.from({ length: outputs }, (_, output) => {
      let sum = bias?.[output] ?? 0;
      for (let at = 0; at < inputs; at++) sum += (weight[output * inputs + at] as number) * (hidden[at] as number);
      return sum;
    });
  }
}
