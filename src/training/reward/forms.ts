/**
 * @file The forms of a reward model under training: how each reads an answer, what it trains, and which files it
 * writes.
 */

import { existsSync } from "node:fs";
import { relative } from "node:path";

import { readBertConfig } from "../../architectures/encoder/bert-config.ts";
import { bertWeightNames } from "../../architectures/encoder/bert-weights.ts";
import { readDecoderConfig, type DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { linearModules } from "../../architectures/training/trained-weights.ts";
import type { RewardTrainingOptions } from "../../config/reward-training-options.ts";
import type { RewardForm } from "../../engine/contract/reward-description.ts";
import { tunedContentHash } from "../../engine/scoring/decoder-reward.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { mergeAdapter } from "../../formats/merged-adapter.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { adapterContentHash, readPeftAdapter } from "../../formats/peft-adapter.ts";
import type { PolicyReference } from "../../reward/reward-config.ts";
import { PairEncoder } from "../../text/tokenizer/encode-pair.ts";
import { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import { chooseAdapter, chooseAdapterAmong, type ChosenAdapter } from "../model/adapter-choice.ts";
import { DecoderAnswerEncoder, PairAnswerEncoder } from "./answer-encoders.ts";
import type { RewardObjective, RowSizes } from "./batch.ts";
import type { AnswerEncoder, EncodedAnswer } from "./comparisons.ts";
import { hiddenStatesOf } from "./hidden-states.ts";
import type { ComparisonSizes } from "./loss.ts";
import { initializerRange } from "../model/decoder-initial-weights.ts";
import { weightsTraining } from "../model/open-graphs.ts";
import { createRewardDecoder, type ScoredDecoderOptions } from "./decoder.ts";
import { createRewardEncoder } from "./encoder.ts";
import { createRewardHead } from "./head.ts";
import { paddingToken, writeRewardAdapter, writeRewardDecoder, writeRewardEncoder, writeRewardHead } from "./output.ts";
import type { TrainableRewardModel } from "./model.ts";
import type { TrainedPart } from "../report/training-report.ts";
import type { OpenOptions } from "../run/training-task.ts";
import { createValueModel, type TrainableValueModel } from "../value/model.ts";

/** The sizes of the graphs, the objective, and the answers of a training. */
export interface RewardLayout extends RowSizes {
  sizes: ComparisonSizes;
  objective: RewardObjective;
  /** All that the model will read. */
  answers: readonly EncodedAnswer[];
}

/** How a model is opened, whatever its form. */
export type FormOpenOptions = Omit<OpenOptions, "identity" | "totalSteps">;

export interface OpenedForm {
  form: RewardForm;
  trains: TrainedPart;
  /** Most tokens that the model reads. */
  contextLength: number;
  /** Whether several comparisons may lie in a row. */
  packs: boolean;
  encoder: AnswerEncoder;
  /** The adapter that is trained. */
  adapter: ChosenAdapter | undefined;
  policy?: PolicyReference;
  /** Undefined where `stop` came first. */
  create: (layout: RewardLayout, making: FormOpenOptions) => Promise<TrainableRewardModel | undefined>;
  /** Writes all but reward.json to the folder. */
  write: (folder: string, model: Pick<TrainableRewardModel, "trainedWeights">, answers: readonly EncodedAnswer[]) => void;
}

/**
 * The form that the options ask for, over an opened model.
 * @throws BonsaiError `usage` for options that the form does not have; `unsupported_model`, `invalid_model_file`,
 *   `invalid_tokenizer`.
 */
export function openForm(options: RewardTrainingOptions, model: ModelFile): OpenedForm {
  const isBert = model.config["model_type"] === "bert";
  const form = options.form === "auto" ? (isBert ? "encoder" : "decoder") : options.form;
  if (isBert !== (form === "encoder")) throw notForModel(options, model);
  if (form === "encoder") return encoderForm(options, model);
  const config = readDecoderConfig(model.config, model.path);
  return form === "decoder" ? decoderForm(options, model, config) : policyHeadForm(options, model, config);
}

function notForModel({ form, model: name }: RewardTrainingOptions, { config }: ModelFile): BonsaiError {
  return new BonsaiError(
    "usage",
    `--form ${form} is not for ${name}, whose architecture is ${JSON.stringify(config["model_type"])}: leave it out, or name another model.`,
    { param: "--form" },
  );
}

type DecoderOpenOptions = RowSizes & FormOpenOptions;

/** A decoder with a score: how its weights are trained and written. */
interface OpenedDecoder extends Pick<OpenedForm, "trains" | "contextLength" | "adapter" | "write"> {
  optionsOf: (how: DecoderOpenOptions) => ScoredDecoderOptions;
}

function openDecoder(options: RewardTrainingOptions, model: ModelFile, config: DecoderConfig): OpenedDecoder {
  const adapter = chooseAdapter(options, config, model);
  const { dimensions, saveDtype: type } = options;
  return {
    trains: adapter === undefined ? "all weights" : "a LoRA adapter",
    contextLength: config.contextLength,
    adapter,
    optionsOf: (how) => ({
      ...how,
      config,
      ...weightsTraining(options, model, adapter),
      scoreDeviation: initializerRange(model.config, model.path),
    }),
    write: (folder, decoder, answers) => {
      const trained = decoder.trainedWeights();
      if (adapter !== undefined) writeRewardAdapter(folder, model, trained, adapter.settings, type);
      else {
        const padTokenId = paddingToken(model, new Set(answers.map(({ ids }) => ids.at(-1)!)));
        writeRewardDecoder(folder, model, trained, { dimensions, padTokenId, type });
      }
    },
  };
}

function decoderForm(options: RewardTrainingOptions, model: ModelFile, config: DecoderConfig): OpenedForm {
  const { optionsOf, ...decoder } = openDecoder(options, model, config);
  return {
    ...decoder,
    form: "decoder",
    packs: true,
    encoder: new DecoderAnswerEncoder(model, true),
    create: async ({ rows, length, sizes, objective }, how) =>
      createRewardDecoder({ ...optionsOf({ ...how, rows, length }), sizes, objective }),
  };
}

/** A value model as its trainer sees it. */
export interface OpenedValueForm extends Pick<OpenedForm, "trains" | "contextLength" | "adapter" | "write"> {
  encoder: DecoderAnswerEncoder;
  create: (how: DecoderOpenOptions) => Promise<TrainableValueModel>;
}

/**
 * The form "value" over an opened model.
 * @throws BonsaiError as `openForm`
 */
export function openValueForm(options: RewardTrainingOptions, model: ModelFile): OpenedValueForm {
  if (model.config["model_type"] === "bert") throw notForModel(options, model);
  const { optionsOf, ...decoder } = openDecoder(options, model, readDecoderConfig(model.config, model.path));
  // A value is read where the policy would go on, so the end of a turn is never read.
  const encoder = new DecoderAnswerEncoder(model, false);
  // A regression that begins with zeros has no noise of its own to unlearn.
  return { ...decoder, encoder, create: async (how) => createValueModel({ ...optionsOf(how), scoreDeviation: 0 }) };
}

function policyHeadForm(options: RewardTrainingOptions, model: ModelFile, config: DecoderConfig): OpenedForm {
  if (options.loraR > 0) {
    const instead = "only the head is trained, over a policy that may have an --adapter";
    throw new BonsaiError("usage", `--lora-r is not for the form policy-head: ${instead}.`, { param: "--lora-r" });
  }
  const { dimensions, saveDtype: type, adapter } = options;
  const tuned = adapter === "" ? undefined : readPeftAdapter(adapter, config.family);
  const weights = tuned === undefined ? model.weights : mergeAdapter(model.weights, tuned);
  const policy = {
    name: policyName(adapter === "" ? options.model : adapter, options.outputDir),
    sha256: tuned === undefined ? model.contentHash : tunedContentHash(model.contentHash, adapterContentHash(adapter)),
  };
  return {
    form: "policy-head",
    trains: "a head",
    contextLength: config.contextLength,
    packs: false,
    encoder: new DecoderAnswerEncoder(model, false),
    adapter: undefined,
    policy,
    create: async ({ sizes, objective, answers }, making) => {
      const states = await hiddenStatesOf(answers, { ...making, config, weights, path: model.path });
      if (states === undefined) return undefined;
      const { hiddenSize } = config;
      return createRewardHead({
        ...making,
        hiddenSize,
        states,
        sizes,
        objective,
        seed: options.seed,
        scoreDeviation: initializerRange(model.config, model.path),
      });
    },
    write: (folder, head) => writeRewardHead(folder, model, head.trainedWeights(), { dimensions, type }),
  };
}

function encoderForm(options: RewardTrainingOptions, model: ModelFile): OpenedForm {
  const { dimensions, saveDtype: type } = options;
  // Dropout is off, as TRL has it for reward models: chosen and rejected would be compared through different masks.
  const config = { ...readBertConfig(model.config, model.path), labels: dimensions, dropout: { hidden: 0, classifier: 0 } };
  const adapter = chooseAdapterAmong(options, model, linearModules(bertWeightNames(config)));
  return {
    form: "encoder",
    trains: adapter === undefined ? "all weights" : "a LoRA adapter",
    contextLength: config.contextLength,
    packs: true,
    encoder: new PairAnswerEncoder(new PairEncoder(new Tokenizer(model.tokenizer), model.tokenizer)),
    adapter,
    create: async ({ rows, length, sizes, objective }, making) => {
      return createRewardEncoder({
        ...making,
        config,
        rows,
        length,
        sizes,
        objective,
        ...weightsTraining(options, model, adapter),
        deviation: initializerRange(model.config, model.path),
      });
    },
    write: (folder, encoder) => {
      const trained = encoder.trainedWeights();
      if (adapter !== undefined) writeRewardAdapter(folder, model, trained, adapter.settings, type);
      else writeRewardEncoder(folder, model, trained, { dimensions, type });
    },
  };
}

/** A folder or file as it is seen from the reward model's folder; a name as it is. */
function policyName(model: string, outputDir: string): string {
  return existsSync(model) ? relative(outputDir, model) : model;
}
