/**
 * @file Rollouts without a cache: every token costs a forward pass over whole rows. Slow for long answers; needs only
 * the training graphs.
 */

import { join } from "node:path";

import { locateDecoderWeights } from "../../architectures/decoder/decoder-weights.ts";
import { buildTrainingDecoder, type TrainingDecoder } from "../../architectures/training/training-decoder.ts";
import { targetLogProbabilities } from "../../autodiff/cross-entropy.ts";
import { gatherRows, matmul, reshape } from "../../autodiff/operations.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { ExternalDataWriter } from "../../onnx/external-data.ts";
import { candidateSeed, uniform } from "../../random/philox.ts";
import { FrozenWeights } from "../model/decoder-frozen-weights.ts";
import type { TrainableDecoderOptions } from "../model/decoder-trainable.ts";
import { TrainingSession, type Arrays } from "../model/training-session.ts";
import type { Rollout, RolloutSource, SamplingOptions } from "./rollout-source.ts";

export interface UncachedRolloutsOptions extends Pick<
  TrainableDecoderOptions,
  "config" | "weights" | "path" | "mode" | "threads" | "baseBits"
> {
  /** Where graphs and frozen weights are written; it exists. */
  folder: string;
  /** Most prompts of a call. */
  rows: number;
  /** Most tokens of a prompt. */
  promptTokens: number;
  /** Most tokens of an answer. */
  answerTokens: number;
  endIds: ReadonlySet<number>;
}

type Sequence = Pick<Rollout, "prompt" | "answer">;

export class UncachedRollouts implements RolloutSource {
  readonly #options: UncachedRolloutsOptions;
  readonly #data: ExternalDataWriter;
  /** Gives the logits after the last token of each row. */
  readonly #next: TrainingSession;
  /** Gives the log-probability of each target. */
  readonly #scores: TrainingSession;

  private constructor(options: UncachedRolloutsOptions, data: ExternalDataWriter, next: TrainingSession, scores: TrainingSession) {
    this.#options = options;
    this.#data = data;
    this.#next = next;
    this.#scores = scores;
  }

  /** @throws BonsaiError `invalid_model_file` for weights that are not the config's. */
  static async open(options: UncachedRolloutsOptions): Promise<UncachedRollouts> {
    const { config, weights: source, path, mode, rows, folder, threads, baseBits = 32 } = options;
    const length = lengthOf(options);
    const data = new ExternalDataWriter(join(folder, "rollout-weights.bin"));
    const frozen = new FrozenWeights(config, source, data, mode.kind === "lora" ? baseBits : 32);
    const weights = locateDecoderWeights(config, source, path);
    const build = (): TrainingDecoder =>
      buildTrainingDecoder({ config, weights, mode, rows, length, blockSize: (module) => frozen.blockSize(module), dropout: false });
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
    const scores = build();
    const targets = scores.program.input("targets", "int32", [rows * length]);
    const found = targetLogProbabilities({ hidden: scores.hidden, weight: scores.head, targets });
    scores.program.output("log_probabilities", reshape(found, [rows * length]));
    return new UncachedRollouts(options, data, await open("rollout-next", next), await open("rollout-scores", scores));
  }

  async sample(prompts: readonly (readonly number[])[], weights: Arrays, { seed, temperature }: SamplingOptions): Promise<Rollout[]> {
    const { rows, answerTokens, endIds, config } = this.#options;
    const length = lengthOf(this.#options);
    const sequences = prompts.map((prompt) => ({ prompt, answer: new Array<number>() }));
    const isOpen = ({ answer }: Sequence): boolean => answer.length < answerTokens && !endIds.has(answer.at(-1) ?? -1);
    const logits = new Float32Array(rows * config.vocabSize);
    while (sequences.some(isOpen)) {
      const ends = new Int32Array(rows);
      for (const [row, { prompt, answer }] of sequences.entries()) ends[row] = row * length + prompt.length + answer.length - 1;
      await this.#next.run({ ...weights, ...this.#inputs(sequences), ends }, { logits });
      for (const [row, sequence] of sequences.entries()) {
        if (!isOpen(sequence)) continue;
        const ofRow = logits.subarray(row * config.vocabSize, (row + 1) * config.vocabSize);
        const draw = uniform(candidateSeed(seed, row), sequence.answer.length);
        sequence.answer.push(temperature === 0 ? likeliest(ofRow) : drawToken(ofRow, draw));
      }
      // Node handles a signal only between turns of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const found = await this.logProbabilities(sequences, weights);
    return sequences.map((sequence, row) => ({ ...sequence, logProbabilities: found[row]! }));
  }

  async logProbabilities(rollouts: readonly Sequence[], weights: Arrays): Promise<Float32Array[]> {
    const length = lengthOf(this.#options);
    const firstTarget = (row: number): number => row * length + rollouts[row]!.prompt.length - 1;
    const targets = new Int32Array(this.#options.rows * length).fill(-1);
    for (const [row, { answer }] of rollouts.entries()) targets.set(answer, firstTarget(row));
    const found = new Float32Array(targets.length);
    await this.#scores.run({ ...weights, ...this.#inputs(rollouts), targets }, { log_probabilities: found });
    return rollouts.map(({ answer }, row) => found.slice(firstTarget(row), firstTarget(row) + answer.length));
  }

  async dispose(): Promise<void> {
    await this.#next.dispose();
    await this.#scores.dispose();
    this.#data.close();
  }

  /**
   * Each sequence in a row of its own; [rows * length].
   * @throws BonsaiError `internal` for what does not fit the graphs.
   */
  #inputs(sequences: readonly Sequence[]): Record<"ids" | "segments" | "positions", Int32Array<ArrayBuffer>> {
    const { rows, promptTokens, answerTokens } = this.#options;
    const length = lengthOf(this.#options);
    if (sequences.length > rows) throw new BonsaiError("internal", `${sequences.length} prompts do not fit graphs for ${rows}.`);
    const arrays = {
      ids: new Int32Array(rows * length),
      segments: new Int32Array(rows * length).fill(-1),
      positions: new Int32Array(rows * length),
    };
    for (const [row, { prompt, answer }] of sequences.entries()) {
      if (prompt.length === 0 || prompt.length > promptTokens || answer.length > answerTokens)
        throw new BonsaiError("internal", `A prompt of ${prompt.length} tokens and an answer of ${answer.length} do not fit the graphs.`);
      const ids = [...prompt, ...answer];
      arrays.ids.set(ids, row * length);
      arrays.segments.fill(0, row * length, row * length + ids.length);
      for (let at = 0; at < ids.length; at++) arrays.positions[row * length + at] = at;
    }
    return arrays;
  }
}

/** Places of a row. */
function lengthOf({ promptTokens, answerTokens }: UncachedRolloutsOptions): number {
  return promptTokens + answerTokens;
}

function likeliest(logits: Float32Array): number {
  return logits.reduce((best, value, token) => (value > logits[best]! ? token : best), 0);
}

/** The token at which the cumulative probability exceeds `draw`, uniform in [0, 1). */
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
