/** @file Scores answers by an encoder, which reads prompt and answer as a pair of texts. */

import { statSync } from "node:fs";
import { readBertConfig, type BertConfig } from "../../architectures/encoder/bert-config.ts";
import { paddedLength } from "../../architectures/encoder/bert-inputs.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { mergeEncoderAdapter } from "../../formats/merged-adapter.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { openModel } from "../../formats/open-model.ts";
import { adapterContentHash, readPeftAdapter } from "../../formats/peft-adapter.ts";
import type { EncoderDevice } from "../../runtime/device.ts";
import { deviceNamed } from "../../runtime/devices.ts";
import type { Message } from "../../text/conversation/message.ts";
import type { Sliced } from "../../text/slices.ts";
import { PairEncoder } from "../../text/tokenizer/encode-pair.ts";
import { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import type { ModelOptions } from "../loading/model.ts";
import type { ModelInfo } from "../contract/request.ts";
import type { RewardDescription } from "../contract/reward-description.ts";
import { tunedContentHash } from "./decoder-reward.ts";
import type { ScoreInput } from "../contract/score-request.ts";
import { fewestTokens, firstCharacters, mostCharacters, refuseUnreadable, tooLong } from "./readable-text.ts";
import type { ReadInput, ScoredRow, Scorer } from "./scorer.ts";

/** The encoder with an adapter and its classifier added. */
function openTunedEncoder(path: string, base: string, dimensions: readonly string[]): ModelFile {
  const file = openModel(base);
  try {
    const adapter = readPeftAdapter(path, String(file.config["model_type"]));
    const weights = mergeEncoderAdapter(file.weights, adapter, path);
    const outputs = adapter.score?.outputs ?? 0;
    const id2label = Object.fromEntries(Array.from({ length: outputs }, (_, index) => [index, dimensions[index] ?? `output ${index}`]));
    const contentHash = tunedContentHash(file.contentHash, adapterContentHash(path));
    return { ...file, path, config: { ...file.config, id2label }, weights, contentHash };
  } catch (error) {
    file.weights.close();
    throw error;
  }
}

/** One of the two texts of a pair. */
interface ReadText {
  ids: number[];
  /** Characters that were cut. */
  cutCharacters: number;
}

/** Tokens of one run, padding included. Encoders are small: this many take no longer than a decoder's run. */
const tokensOfRun = 1024;

export class EncoderScorer implements Scorer {
  readonly info: ModelInfo;
  readonly #config: BertConfig;
  readonly #tokenizer: Tokenizer;
  readonly #pairs: PairEncoder;
  readonly #encoder: EncoderDevice;

  /**
   * Opens the folder of a BertForSequenceClassification, or of an adapter with a classifier of `options.encoder`, and
   * loads it.
   * @throws BonsaiError as `openModel`, `readPeftAdapter` and `mergeEncoderAdapter`; `invalid_model_file` where it does
   * not fit its reward.json.
   */
  static async load(options: ModelOptions & { reward: RewardDescription }): Promise<EncoderScorer> {
    const { reward, path, encoder: base } = options;
    const file = base === undefined ? openModel(path) : openTunedEncoder(path, base, reward.dimensions);
    try {
      const config = readBertConfig(file.config, path);
      if (config.labels.length !== reward.dimensions.length) {
        throw new BonsaiError(
          "invalid_model_file",
          `${path} has ${config.labels.length} outputs and reward.json ${reward.dimensions.length} dimensions.`,
        );
      }
      const tokenizer = new Tokenizer(file.tokenizer);
      const pairs = new PairEncoder(tokenizer, file.tokenizer);
      const device = deviceNamed(options.device ?? "cpu");
      const { model: encoder, hash } = await device.loadEncoder({ file, config }, options);
      const info: ModelInfo = {
        id: options.id,
        kind: "reward",
        base: undefined,
        created: Math.floor(statSync(path).mtimeMs / 1000),
        contextLength: Math.min(config.contextLength, reward.maxLength),
        vocabSize: config.vocabSize,
        quantization: options.quantization === "fp32" ? "fp32" : "q8",
        device: device.name,
        hasChatTemplate: false,
        fingerprint: `bonsai-${hash.slice(0, 12)}`,
        reward,
      };
      return new EncoderScorer(info, config, tokenizer, pairs, encoder);
    } finally {
      file.weights.close();
    }
  }

  private constructor(info: ModelInfo, config: BertConfig, tokenizer: Tokenizer, pairs: PairEncoder, encoder: EncoderDevice) {
    this.info = info;
    this.#config = config;
    this.#tokenizer = tokenizer;
    this.#pairs = pairs;
    this.#encoder = encoder;
  }

  /** The widest states of one layer, and its attention's weights. */
  bytesOf(tokens: number): number {
    const { hiddenSize, intermediateSize, heads } = this.#config;
    const length = paddedLength(tokens);
    return 4 * length * (3 * hiddenSize + 2 * intermediateSize + 2 * heads * length);
  }

  /**
   * The prompt is the text of all turns before the answer. What is too long is cut at the end of both texts, and each
   * of them is one slice.
   */
  *read(inputs: readonly ScoreInput[], truncate: boolean): Sliced<ReadInput[]> {
    const most = this.info.contextLength;
    const prompts = new Map<readonly Message[], ReadText>();
    const read: ReadInput[] = [];
    if (!truncate) for (const input of inputs) refuseUnreadable(input, most, this.#tokenizer);
    for (const { prompt, answer, param } of inputs) {
      let first = prompts.get(prompt);
      if (first === undefined) {
        const text = prompt.map(({ content }) => content).join("\n");
        prompts.set(prompt, (first = yield* this.#readText(text)));
      }
      const second = yield* this.#readText(answer.content);
      const { ids, types, cutTokens } = this.#pairs.join(first.ids, second.ids, most);
      if (cutTokens > 0 && !truncate) throw tooLong(param, `${ids.length + cutTokens} tokens`, most);
      const unreadTokens = fewestTokens(first.cutCharacters + second.cutCharacters, this.#tokenizer);
      read.push({ ids, types, cutTokens: cutTokens + unreadTokens, promptTokens: 0 });
    }
    return read;
  }

  *#readText(text: string): Sliced<ReadText> {
    const readable = firstCharacters(text, mostCharacters(this.info.contextLength, this.#tokenizer));
    const ids = this.#pairs.encodeText(readable);
    yield readable.length;
    return { ids, cutCharacters: text.length - readable.length };
  }

  open(input: ReadInput): ScoredRow {
    return { input, cachedTokens: 0, outputs: undefined };
  }

  /** The first row and those that are padded to its length, since others would be padded in vain. */
  async advance(rows: readonly ScoredRow[]): Promise<void> {
    const [first] = rows;
    if (first === undefined) return;
    const length = paddedLength(first.input.ids.length);
    const alike = rows.filter(({ input }) => paddedLength(input.ids.length) === length);
    const chosen = alike.slice(0, Math.max(1, Math.floor(tokensOfRun / length)));
    const outputs = await this.#encoder.classify(chosen.map(({ input }) => ({ ids: input.ids, types: input.types ?? [] })));
    chosen.forEach((row, index) => (row.outputs = outputs[index]));
  }

  /** Nothing is held between runs. */
  close(): void {}

  async dispose(): Promise<void> {
    await this.#encoder.dispose();
  }
}
