/**
 * @file A small model that really learns: the next token by the last one alone, softmax regression with AdamW, in plain
 * float64.
 */

import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import type { EvaluationSums, StateTensor, TokenBatch, TrainableModel, TrainStep } from "../../../src/training/run/trainable-model.ts";

const [beta1, beta2, epsilon, weightDecay] = [0.9, 0.999, 1e-8, 0.01];

/** All that is kept between steps is fp32, as in the decoders; what is computed in a step is not. */
export class BigramModel implements TrainableModel {
  readonly #vocabSize: number;
  /** [V, V]: the logits of the next token, by the last one. */
  readonly #weights: Float32Array<ArrayBuffer>;
  readonly #firstMoments: Float32Array<ArrayBuffer>;
  readonly #secondMoments: Float32Array<ArrayBuffer>;
  readonly #steps = new Float32Array(1);

  constructor(vocabSize: number) {
    this.#vocabSize = vocabSize;
    this.#weights = Float32Array.from({ length: vocabSize * vocabSize }, (_, at) => Math.sin(at) / 10);
    this.#firstMoments = new Float32Array(vocabSize * vocabSize);
    this.#secondMoments = new Float32Array(vocabSize * vocabSize);
  }

  async step(batches: readonly TokenBatch[], learningRate: number): Promise<TrainStep> {
    const V = this.#vocabSize;
    const gradient = new Float64Array(V * V);
    const sums = { loss: 0, correct: 0, trainedTokens: 0, entropy: 0 };
    for (const batch of batches) this.#accumulate(batch, sums, gradient);
    const count = sums.trainedTokens;
    let squares = 0;
    for (let at = 0; at < gradient.length; at++) squares += (gradient[at]! /= count) ** 2;
    const t = (this.#steps[0]! += 1);
    for (let at = 0; at < gradient.length; at++) {
      this.#firstMoments[at] = beta1 * this.#firstMoments[at]! + (1 - beta1) * gradient[at]!;
      this.#secondMoments[at] = beta2 * this.#secondMoments[at]! + (1 - beta2) * gradient[at]! ** 2;
      const direction = this.#firstMoments[at]! / (1 - beta1 ** t) / (Math.sqrt(this.#secondMoments[at]! / (1 - beta2 ** t)) + epsilon);
      this.#weights[at]! -= learningRate * (direction + weightDecay * this.#weights[at]!);
    }
    return {
      loss: sums.loss / count,
      gradNorm: Math.sqrt(squares),
      trainedTokens: count,
      meanTokenAccuracy: sums.correct / count,
      entropy: sums.entropy / count,
    };
  }

  async evaluate(batch: TokenBatch): Promise<EvaluationSums> {
    const { loss, correct, trainedTokens } = this.#accumulate(batch, { loss: 0, correct: 0, trainedTokens: 0, entropy: 0 }, undefined);
    return { loss, correct, trainedTokens };
  }

  trainedWeights(): ReadonlyMap<string, StateTensor> {
    return new Map([["bigram.weight", { shape: [this.#vocabSize, this.#vocabSize], data: this.#weights }]]);
  }

  state(): ReadonlyMap<string, StateTensor> {
    const shape = [this.#vocabSize, this.#vocabSize];
    return new Map<string, StateTensor>([
      ["weights", { shape, data: this.#weights }],
      ["first moments", { shape, data: this.#firstMoments }],
      ["second moments", { shape, data: this.#secondMoments }],
      ["steps", { shape: [1], data: this.#steps }],
    ]);
  }

  restore(state: ReadonlyMap<string, StateTensor>): void {
    for (const [name, { shape, data }] of this.state()) {
      const given = state.get(name);
      if (given?.shape.join() !== shape.join())
        throw new BonsaiError("invalid_model_file", `The checkpoint has no tensor "${name}" of shape [${shape.join(", ")}].`);
      data.set(given.data);
    }
  }

  async dispose(): Promise<void> {
    this.#weights.fill(Number.NaN);
  }

  #accumulate<Sums extends EvaluationSums & { entropy: number }>(batch: TokenBatch, sums: Sums, gradient: Float64Array | undefined): Sums {
    const V = this.#vocabSize;
    batch.targets.forEach((target, place) => {
      if (target === -1) return;
      const row = batch.ids[place]! * V;
      const logits = this.#weights.subarray(row, row + V);
      const highest = logits.reduce((most, value) => Math.max(most, value));
      const weights = Float64Array.from(logits, (value) => Math.exp(value - highest));
      const total = weights.reduce((sum, value) => sum + value, 0);
      sums.loss += Math.log(total / weights[target]!);
      sums.correct += Number(logits.indexOf(highest) === target);
      sums.trainedTokens += 1;
      for (let next = 0; next < V; next++) {
        const probability = weights[next]! / total;
        if (probability > 0) sums.entropy -= probability * Math.log(probability);
        if (gradient !== undefined) gradient[row + next]! += probability - Number(next === target);
      }
    });
    return sums;
  }
}
