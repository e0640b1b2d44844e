/**
 * @file Answers that a policy under training writes to a few held-out prompts, and how far they are from what its reference would write. Prompts lie in rows of
 * their own and every token costs a forward pass over them: slow for long answers, and it needs nothing but the weights as they are.
 */

import { join } from "node:path";

import { locateDecoderWeights } from "../../architectures/decoder/decoder-weights.ts";
import { buildTrainingDecoder, type TrainingDecoder } from "../../architectures/training/training-decoder.ts";
import { targetLogProbabilities } from "../../autodiff/cross-entropy.ts";
import { gatherRows, matmul, reshape } from "../../autodiff/operations.ts";
import { candidateSeed, uniform } from "../../random/philox.ts";
import { ExternalDataWriter } from "../../onnx/external-data.ts";
import { FrozenWeights } from "../model/decoder-frozen-weights.ts";
import type { TrainablePolicyOptions } from "./policy-trainable.ts";
import { TrainingSession, type Arrays } from "../model/training-session.ts";

export interface SamplerOptions extends Pick<
  TrainablePolicyOptions,
  "config" | "weights" | "path" | "mode" | "threads" | "baseBits" | "seed"
> {
  /** Where graphs and frozen weights are written; it exists. */
  folder: string;
  /** Token ids, at least one prompt. */
  prompts: readonly (readonly number[])[];
  /** Most tokens of an answer. */
  maxTokens: number;
  endIds: ReadonlySet<number>;
}

/** What was found about the answers to all prompts. */
export interface SampledAnswers {
  /** Mean of log pi - log pi_ref over the answers: an unbiased estimate of KL(pi || pi_ref), nats an answer. */
  distance: number;
  /** Mean tokens of an answer, with the one that ends it. */
  length: number;
}

export class PolicySampler {
  readonly #options: SamplerOptions;
  readonly #length: number;
  readonly #data: ExternalDataWriter;
  readonly #next: TrainingSession;
  readonly #all: TrainingSession;

  private constructor(options: SamplerOptions, length: number, data: ExternalDataWriter, next: TrainingSession, all: TrainingSession) {
    this.#options = options;
    this.#length = length;
    this.#data = data;
    this.#next = next;
    this.#all = all;
  }

  static async open(options: SamplerOptions): Promise<PolicySampler> {
    const { config, weights: source, path, mode, prompts, maxTokens, folder, threads, baseBits = 32 } = options;
    const rows = prompts.length;
    const length = Math.max(...prompts.map((prompt) => prompt.length)) + maxTokens;
    const data = new ExternalDataWriter(join(folder, "sampler-weights.bin"));
    const frozen = new FrozenWeights(config, source, data, mode.kind === "lora" ? baseBits : 32);
    const build = (): TrainingDecoder =>
      buildTrainingDecoder({
        config,
        weights: locateDecoderWeights(config, source, path),
        mode,
        rows,
        length,
        blockSize: (module) => frozen.blockSize(module),
        dropout: false,
      });
    const open = async (name: string, { program }: TrainingDecoder): Promise<TrainingSession> =>
      TrainingSession.open(program, {
        folder,
        name,
        threads,
        weights: { fileName: data.fileName, data: (weight) => frozen.locate(weight) },
      });
    const next = build();
    const ends = next.program.input("ends", "int32", [rows]);
    next.program.output("logits", matmul(gatherRows(next.hidden, ends), next.head, { transposeB: true }));
    const all = build();
    const targets = all.program.input("targets", "int32", [rows * length]);
    const found = targetLogProbabilities({ hidden: all.hidden, weight: all.head, targets });
    all.program.output("log_probabilities", reshape(found, [rows * length]));
    return new PolicySampler(options, length, data, await open("sample-next", next), await open("sample-all", all));
  }

  /**
   * Samples an answer to each prompt at temperature 1; the same weights and number give the same answers.
   * @param policy trained weights by name, and `reference` theirs before training
   * @param number of the measurement, which decides the draws
   */
  async measure(policy: Arrays, reference: Arrays, number: number): Promise<SampledAnswers> {
    const { prompts } = this.#options;
    const answers = await this.#sample(policy, number);
    const [own, other] = [await this.#logProbability(policy, answers), await this.#logProbability(reference, answers)];
    return {
      distance: (own - other) / prompts.length,
      length: answers.reduce((sum, answer) => sum + answer.length, 0) / prompts.length,
    };
  }

  async dispose(): Promise<void> {
    await this.#next.dispose();
    await this.#all.dispose();
    this.#data.close();
  }

  async #sample(weights: Arrays, number: number): Promise<number[][]> {
    const { prompts, maxTokens, endIds, config, seed } = this.#options;
    const answers: number[][] = prompts.map(() => []);
    const isOpen = (answer: readonly number[]): boolean => answer.length < maxTokens && !endIds.has(answer.at(-1) ?? -1);
    const logits = new Float32Array(prompts.length * config.vocabSize);
    while (answers.some(isOpen)) {
      const ends = Int32Array.from(prompts, (prompt, row) => row * this.#length + prompt.length + answers[row]!.length - 1);
      await this.#next.run({ ...weights, ...this.#places(answers), ends }, { logits });
      for (const [row, answer] of answers.entries()) {
        if (!isOpen(answer)) continue;
        const draw = uniform(candidateSeed(candidateSeed(seed, number + 1), row), answer.length);
        answer.push(drawToken(logits.subarray(row * config.vocabSize, (row + 1) * config.vocabSize), draw));
      }
      // A signal is heard only between turns of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return answers;
  }

  /** Of all answers together, nats. */
  async #logProbability(weights: Arrays, answers: readonly (readonly number[])[]): Promise<number> {
    const { prompts } = this.#options;
    const targets = new Int32Array(prompts.length * this.#length).fill(-1);
    for (const [row, prompt] of prompts.entries()) targets.set(answers[row]!, row * this.#length + prompt.length - 1);
    const found = new Float32Array(targets.length);
    await this.#all.run({ ...weights, ...this.#places(answers), targets }, { log_probabilities: found });
    return found.reduce((sum, value) => sum + value, 0);
  }

  #places(answers: readonly (readonly number[])[]): Record<"ids" | "segments" | "positions", Int32Array<ArrayBuffer>> {
    const { prompts } = this.#options;
    const size = prompts.length * this.#length;
    const arrays = { ids: new Int32Array(size), segments: new Int32Array(size).fill(-1), positions: new Int32Array(size) };
    for (const [row, prompt] of prompts.entries()) {
      const ids = [...prompt, ...answers[row]!];
      arrays.ids.set(ids, row * this.#length);
      arrays.segments.fill(0, row * this.#length, row * this.#length + ids.length);
      for (let at = 0; at < ids.length; at++) arrays.positions[row * this.#length + at] = at;
    }
    return arrays;
  }
}

/** The token at which the cumulated probability passes `draw`, uniform in [0, 1). */
function drawToken(logits: Float32Array, draw: number): number {
  const largest = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  const weights = Float64Array.from(logits, (value) => Math.exp(value - largest));
  let left = draw * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [token, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return token;
  }
  return weights.findLastIndex((weight) => weight > 0);
}
