/** @file A decoder on the CPU: ONNX Runtime computes, the caches live in plain arrays that are fed as inputs and appended to in place. */

import type { DecoderConfig } from "../../architectures/decoder-config.ts";
import type { CacheType } from "../../architectures/decoder-graph.ts";
import type { CachePage, DecodeRow, DecodeStep, DecoderDevice, PromptCache, StepResult, TopLogits } from "../device.ts";
import { int64Tensor, loadSession, tensor, type Session, type SessionOptions, type Tensor } from "../session.ts";
import { causalMask } from "../attention-mask.ts";
import { Cohort, type CpuRow } from "./cohort.ts";
import { classBound, cohortClass, sharingRows } from "./grouping.ts";
import { bytesPerPlace, KvSegment, roundUpPlaces, type CacheArray, type KvShape } from "./kv-segment.ts";
import { CpuPrompt } from "./prompt.ts";

export interface CpuDecoderOptions extends SessionOptions {
  config: DecoderConfig;
  cacheType: CacheType;
  /** Most rows that decode at once. */
  maxRows: number;
  /** Bytes of keys and values that all rows together may take. */
  kvCacheBytes: number;
  /** Paths of the graphs. */
  graphs: { decoder: string; head: string };
}

interface CpuPage extends CachePage {
  data: CacheArray;
}

export class CpuDecoder implements DecoderDevice {
  readonly name = "cpu";
  readonly config: DecoderConfig;
  readonly chunkTokens = 64;
  readonly bytesPerToken: number;
  readonly #shape: KvShape;
  readonly #sessions: { decoder: Session; head: Session };
  /** Cohorts of rows with prompts of their own, by class of length. */
  readonly #cohorts = new Map<number, Cohort>();
  /** A prompt has no answer while it is filled. */
  readonly #noAnswer: Tensor;
  readonly #limits: { maxRows: number; maxPlaces: number };
  /** The arrays of the last prompt that was copied into a cohort, for the next. */
  #spare: KvSegment | undefined;

  static async load(options: CpuDecoderOptions): Promise<CpuDecoder> {
    const { graphs } = options;
    return new CpuDecoder(options, {
      decoder: await loadSession(graphs.decoder, options),
      head: await loadSession(graphs.head, options),
    });
  }

  private constructor(options: CpuDecoderOptions, sessions: { decoder: Session; head: Session }) {
    const { layers, kvHeads, headDim } = options.config;
    this.config = options.config;
    this.#shape = { layers, kvHeads, headDim, type: options.cacheType };
    this.#sessions = sessions;
    this.#limits = { maxRows: options.maxRows, maxPlaces: Math.ceil(options.kvCacheBytes / bytesPerPlace(this.#shape)) };
    this.#noAnswer = new KvSegment(this.#shape, 0).tensors([1, kvHeads, 0, headDim])[0] as Tensor;
    this.bytesPerToken = bytesPerPlace(this.#shape);
  }

  openPrompt(tokens: number): PromptCache {
    const prompt = new CpuPrompt(this.#shape, tokens, this.#spare);
    if (prompt.segment === this.#spare) this.#spare = undefined;
    return prompt;
  }

  closePrompt(prompt: PromptCache): void {
    this.#spare = (prompt as CpuPrompt).segment;
  }

  async prefill(cache: PromptCache, ids: readonly number[], wantLogits = false): Promise<Float32Array | undefined> {
    const prompt = cache as CpuPrompt;
    const { segment, length: start } = prompt;
    const { kvHeads, headDim, layers } = this.#shape;
    const { places } = segment;
    const count = ids.length;
    const group = this.config.heads / kvHeads;
    const feeds: Record<string, Tensor> = {
      ids: int64Tensor(ids, [1, count]),
      positions: int64Tensor(
        ids.map((_, index) => start + index),
        [1, count],
      ),
      mask: tensor("float32", causalMask(count, group, places, start), [1, 1, group * count, places + count]),
      lengths: int64Tensor([places, 0, count], [3]),
    };
    const caches = segment.tensors([1, kvHeads, places, headDim]);
    for (let layer = 0; layer < layers; layer++) {
      feeds[`prompt_key_${layer}`] = caches[layer] as Tensor;
      feeds[`prompt_value_${layer}`] = caches[layers + layer] as Tensor;
      feeds[`answer_key_${layer}`] = this.#noAnswer;
      feeds[`answer_value_${layer}`] = this.#noAnswer;
    }
    const outputs = await this.#sessions.decoder.run(feeds, wantLogits ? ["rows", "hidden"] : ["rows"]);
    prompt.append(cacheData(outputs["rows"]), count);
    if (!wantLogits) return undefined;
    const hidden = tensor("float32", floats(outputs["hidden"]), [count, 1, this.config.hiddenSize]);
    const inverseTemperature = tensor("float32", new Float32Array(count).fill(1), [count, 1]);
    return floats((await this.#sessions.head.run({ hidden, inverse_temperature: inverseTemperature }, ["logits"]))["logits"]);
  }

  readPage(prompt: PromptCache, start: number): CachePage {
    const data = (prompt as CpuPrompt).segment.read(0, start, this.chunkTokens);
    return { data, byteLength: data.byteLength } as CpuPage;
  }

  appendPage(prompt: PromptCache, page: CachePage): void {
    (prompt as CpuPrompt).append((page as CpuPage).data, this.chunkTokens);
  }

  openRows(cache: PromptCache, count: number, maxAnswerTokens: number): DecodeRow[] {
    const prompt = cache as CpuPrompt;
    if (count >= sharingRows) {
      const answerPlaces = count * roundUpPlaces(maxAnswerTokens + 1);
      return new Cohort(this.#shape, { promptPlaces: 0, answerPlaces }, prompt).join(prompt, count);
    }
    const rows = this.#cohort(cohortClass(prompt.length)).join(prompt, count);
    this.closePrompt(prompt);
    return rows;
  }

  /** The cohort of a class of lengths, for rows with prompts of their own. */
  #cohort(lengthClass: number): Cohort {
    const existing = this.#cohorts.get(lengthClass);
    if (existing !== undefined) return existing;
    const { maxRows, maxPlaces } = this.#limits;
    // Padding makes a row of a class at most four times as long as it is (grouping.ts), and a prompt that is counted once may be copied for
    // every sequence of its request.
    const padded = 4 * (sharingRows - 1) * maxPlaces;
    const places = Math.min(maxRows * Math.min(classBound(lengthClass), roundUpPlaces(this.config.contextLength + 1)), padded);
    const cohort = new Cohort(this.#shape, { promptPlaces: places, answerPlaces: places });
    this.#cohorts.set(lengthClass, cohort);
    return cohort;
  }

  /** Moves the rows whose answers have outgrown their class. */
  #promote(): void {
    for (const [lengthClass, cohort] of this.#cohorts) {
      const bound = classBound(lengthClass);
      for (const row of cohort.rows.filter(({ answerLength }) => answerLength + 1 > bound)) this.#cohort(lengthClass + 1).adopt(row);
    }
  }

  closeRow(row: DecodeRow): void {
    (row as CpuRow).cohort.leave(row as CpuRow);
  }

  async decode(steps: readonly DecodeStep[]): Promise<StepResult> {
    const byCohort = groupByCohort(steps);
    const { hiddenSize } = this.config;
    const hidden = new Float32Array(steps.length * hiddenSize);
    for (const [cohort, stepOfRow] of byCohort) {
      const ordered = cohort.rows.map((row) => steps[stepOfRow.get(row) as number] as DecodeStep);
      const feeds = {
        ...cohort.inputs(),
        ids: int64Tensor(
          ordered.map(({ tokenId }) => tokenId),
          [ordered.length, 1],
        ),
        positions: int64Tensor(
          ordered.map(({ row }) => row.length),
          [ordered.length, 1],
        ),
      };
      const outputs = await this.#sessions.decoder.run(feeds, ["hidden", "rows"]);
      cohort.append(cacheData(outputs["rows"]));
      const computed = floats(outputs["hidden"]);
      cohort.rows.forEach((row, slot) => {
        hidden.set(computed.subarray(slot * hiddenSize, (slot + 1) * hiddenSize), (stepOfRow.get(row) as number) * hiddenSize);
      });
    }
    this.#promote();
    return this.#head(steps, hidden);
  }

  async dispose(): Promise<void> {
    for (const session of Object.values(this.#sessions)) await session.dispose();
  }

  async #head(steps: readonly DecodeStep[], hidden: Float32Array<ArrayBuffer>): Promise<StepResult> {
    const { hiddenSize, vocabSize } = this.config;
    const inverseTemperatures = Float32Array.from(steps, (step) => step.inverseTemperature);
    const outputs = await this.#sessions.head.run(
      {
        hidden: tensor("float32", hidden, [steps.length, 1, hiddenSize]),
        inverse_temperature: tensor("float32", inverseTemperatures, [steps.length, 1]),
      },
      ["top_logits", "top_ids", "mass"],
    );
    const values = floats(outputs["top_logits"]);
    const ids = Int32Array.from(outputs["top_ids"]?.data as BigInt64Array, Number);
    const mass = floats(outputs["mass"]);
    const k = values.length / steps.length;
    const rows = steps.map((_, index): TopLogits => {
      const range = [index * k, (index + 1) * k] as const;
      return { values: values.subarray(...range), ids: ids.subarray(...range), normaliser: mass[index] as number };
    });
    const fullLogits = async (indexes: readonly number[]): Promise<Float32Array[]> => {
      const wanted = new Float32Array(indexes.length * hiddenSize);
      indexes.forEach((index, at) => wanted.set(hidden.subarray(index * hiddenSize, (index + 1) * hiddenSize), at * hiddenSize));
      const feeds = {
        hidden: tensor("float32", wanted, [indexes.length, 1, hiddenSize]),
        inverse_temperature: tensor("float32", new Float32Array(indexes.length).fill(1), [indexes.length, 1]),
      };
      const logits = floats((await this.#sessions.head.run(feeds, ["logits"]))["logits"]);
      return indexes.map((_, at) => logits.subarray(at * vocabSize, (at + 1) * vocabSize));
    };
    return { rows, fullLogits };
  }
}

/** Every row of a cohort steps at once: which step is each row's. */
function groupByCohort(steps: readonly DecodeStep[]): Map<Cohort, Map<CpuRow, number>> {
  const groups = new Map<Cohort, Map<CpuRow, number>>();
  steps.forEach(({ row }, index) => {
    const cpuRow = row as CpuRow;
    const group = groups.get(cpuRow.cohort) ?? new Map<CpuRow, number>();
    groups.set(cpuRow.cohort, group.set(cpuRow, index));
  });
  return groups;
}

function floats(value: Tensor | undefined): Float32Array<ArrayBuffer> {
  return value?.data as Float32Array<ArrayBuffer>;
}

function cacheData(value: Tensor | undefined): CacheArray {
  return value?.data as CacheArray;
}
