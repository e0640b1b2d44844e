/** @file A model as the engine runs it: tokenizer, template and device behind one name. */

import { statSync } from "node:fs";
import { readDecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import type { Device as DeviceName, Quantization } from "../../config/options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { openModel } from "../../formats/open-model.ts";
import { adapterContentHash, readPeftAdapter } from "../../formats/peft-adapter.ts";
import type { NamedAdapter } from "../../runtime/artifacts/decoder-artifacts.ts";
import { calibrationTexts } from "../../runtime/artifacts/calibration-texts.ts";
import type { DecoderDevice, DecoderLoadOptions } from "../../runtime/device.ts";
import { deviceNamed } from "../../runtime/devices.ts";
import { ChatTemplate, specialTokenTexts } from "../../text/conversation/chat-template.ts";
import { encodeChat, encodeChatInSlices } from "../../text/conversation/encode-chat.ts";
import type { Sliced } from "../../text/slices.ts";
import { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import type { ModelInfo, Prompt } from "../contract/request.ts";
import type { RewardDescription } from "../contract/reward-description.ts";
import {
  headOfFile,
  headOfPolicy,
  headOfWeight,
  scoringInfo,
  tunedContentHash,
  type ImplicitRewardOptions,
  type PolicyHeadOptions,
  type ScoringPart,
} from "../scoring/decoder-reward.ts";

export interface ModelOptions extends DecoderLoadOptions {
  id: string;
  /** A GGUF file or a Hugging Face folder. */
  path: string;
  /** Where the model runs; undefined is the CPU. */
  device?: DeviceName | undefined;
  /** Present for a reward model with weights of its own. */
  reward?: RewardDescription | undefined;
  /** A policy's reward model for Best-of-N where the request names none, by id. */
  rewardModel?: string | undefined;
  /**
   * Where `path` is an adapter of an encoder: that encoder's folder. Each such adapter is served by weights of its own.
   */
  encoder?: string | undefined;
  /** LoRA adapters in PEFT's layout, each served as a model of its own over the same weights. */
  adapters?: readonly AdapterOptions[];
  /** Reward models that read the hidden states of this model or of one of its adapters. */
  heads?: readonly PolicyHeadOptions[];
  /**
   * Reward models that compare the probabilities of two policies, of which the tuned one is this model or one of its
   * adapters.
   */
  implicitRewards?: readonly ImplicitRewardOptions[];
}

export interface AdapterOptions {
  id: string;
  path: string;
  /** Present for an adapter that is a reward model. */
  reward?: RewardDescription | undefined;
  /** As `ModelOptions.rewardModel`; undefined takes the base's. */
  rewardModel?: string | undefined;
}

export interface Model {
  info: ModelInfo;
  tokenizer: Tokenizer;
  template: ChatTemplate | undefined;
  eosTokenIds: ReadonlySet<number>;
  /** Shared by a base and its adapters. */
  device: DecoderDevice;
  /** Index of this model among the device's adapters; undefined for the base. */
  adapter: number | undefined;
  /** What the keys of cached prompts begin with: models of one scope compute the same keys and values. */
  cacheScope: string;
  /** Hash of weights and tokenizer, and of the adapter where there is one. */
  contentHash: string;
  /** Present for a reward model. */
  score?: ScoringPart | undefined;
}

/**
 * Opens a model with its adapters and heads, makes its artifacts if they are not on disk yet, and loads them.
 * @returns the base, then each adapter, then each head
 */
export async function loadModels(options: ModelOptions): Promise<[base: Model, ...others: Model[]]> {
  const { reward } = options;
  const file = openModel(options.path);
  try {
    const read = readDecoderConfig(file.config, options.path);
    // A model that scores has no output projection; with this none is looked for.
    const config = reward === undefined ? read : { ...read, tiedEmbeddings: true };
    const tokenizer = new Tokenizer(file.tokenizer);
    if (tokenizer.vocabSize > config.vocabSize) {
      throw new BonsaiError(
        "invalid_model_file",
        `${options.path}: the tokenizer has ${tokenizer.vocabSize} tokens and the model only ${config.vocabSize} rows for them.`,
      );
    }
    const { chatTemplate, tokenizerConfig } = file.tokenizer;
    const template = chatTemplate === undefined ? undefined : new ChatTemplate(chatTemplate, specialTokenTexts(tokenizerConfig));
    const quantization = modeOf(options);
    const device = deviceNamed(options.device ?? "cpu");
    const adapters = (options.adapters ?? []).map((adapter) => openAdapter(adapter, config.family));
    const score = reward && headOfFile(reward, file, config);
    const loaded = await device.loadDecoder(
      {
        id: options.id,
        file,
        config,
        adapters,
        withoutHead: reward !== undefined,
        calibration: () => calibrationPrompts(tokenizer, template),
      },
      { ...options, quantization },
    );
    const fingerprint = `bonsai-${loaded.hash.slice(0, 12)}`;
    const base: Model = {
      adapter: undefined,
      tokenizer,
      template,
      device: loaded.model,
      eosTokenIds: new Set(file.eosTokenIds),
      cacheScope: fingerprint,
      contentHash: file.contentHash,
      info: {
        id: options.id,
        kind: "policy",
        base: undefined,
        created: createdAt(options.path),
        contextLength: config.contextLength,
        vocabSize: config.vocabSize,
        quantization,
        device: device.name,
        hasChatTemplate: template !== undefined,
        fingerprint,
        ...(options.rewardModel === undefined ? {} : { rewardModel: options.rewardModel }),
      },
    };
    const tuned = (options.adapters ?? []).map(({ id, path, reward: description, rewardModel }, index): Model => {
      const cacheScope = `${fingerprint}-${index + 1}`;
      const own = rewardModel === undefined ? {} : { rewardModel };
      const info = { ...base.info, id, base: base.info.id, created: createdAt(path), fingerprint: cacheScope, ...own };
      const weight = adapters[index]?.adapter.score;
      return withScore(
        { ...base, adapter: index, cacheScope, contentHash: tunedContentHash(file.contentHash, adapters[index]!.contentHash), info },
        description && weight && headOfWeight(description, weight, config, path),
      );
    });
    const policies = [base, ...tuned];
    const heads = (options.heads ?? []).map((head): Model => {
      const policy = policies.find(({ info }) => info.id === head.policy);
      if (policy === undefined || policy.score !== undefined)
        throw new BonsaiError("invalid_model_file", `${head.path}: reward.json names ${head.policy} as its policy, which is none.`);
      const info = { ...policy.info, id: head.id, base: head.policy, created: createdAt(head.path) };
      return withScore({ ...policy, info }, headOfPolicy(head, policy.contentHash, config));
    });
    return [withScore(base, score), ...tuned, ...heads];
  } finally {
    file.weights.close();
  }
}

/** 4-bit blocks are those of the file, and a reward model's file has none: it is served in 8-bit blocks. */
function modeOf({ quantization, reward }: ModelOptions): Quantization {
  return reward !== undefined && quantization === "q4" ? "q8" : quantization;
}

/** Seconds since the epoch. */
function createdAt(path: string): number {
  return Math.floor(statSync(path).mtimeMs / 1000);
}

/** The model as a reward model, where it is one. */
function withScore(model: Model, score: ScoringPart | undefined): Model {
  return score === undefined ? model : { ...model, score, info: scoringInfo(model.info, score) };
}

function openAdapter({ path, reward }: AdapterOptions, family: string): NamedAdapter {
  const adapter = readPeftAdapter(path, family);
  if (adapter.score !== undefined && reward === undefined)
    throw new BonsaiError(
      "unsupported_model",
      `${path}: the adapter is a reward model without reward.json, which says what its outputs mean.`,
    );
  if (adapter.score === undefined && reward !== undefined)
    throw new BonsaiError(
      "invalid_model_file",
      `${path}: reward.json makes it a reward model, and its adapter has no tensor score.weight.`,
    );
  return { adapter, path, contentHash: adapterContentHash(path) };
}

/** Each text as it is, and for chat models as a message too. */
export function calibrationPrompts(tokenizer: Tokenizer, template: ChatTemplate | undefined): number[][] {
  const texts = calibrationTexts.map((text) => tokenizer.encode(text));
  if (template === undefined) return texts;
  return [...texts, ...calibrationTexts.map((content) => encodeChat(tokenizer, template, [{ role: "user", content }]))];
}

/** A prompt's token ids, at least one, in slices. Throws `invalid_request` or `context_length_exceeded`. */
export function* readPrompt(model: Model, prompt: Prompt): Sliced<number[]> {
  const { tokenizer, info } = model;
  if (prompt.kind !== "tokens") refuseHopeless(model, prompt);
  let ids: number[];
  if (prompt.kind === "tokens") {
    ids = prompt.ids;
    const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= info.vocabSize);
    if (bad !== undefined) {
      throw new BonsaiError("invalid_request", `The prompt has token id ${bad}; this model's ids go from 0 to ${info.vocabSize - 1}.`, {
        param: "prompt",
      });
    }
  } else if (prompt.kind === "text") ({ ids } = yield* tokenizer.encodeInSlices(prompt.text));
  else ({ ids } = yield* encodeChatInSlices(tokenizer, model.template, prompt.messages));
  if (ids.length === 0) {
    throw new BonsaiError("invalid_request", "The prompt is empty, and this model has no token to begin a text with.", { param: "prompt" });
  }
  return ids;
}

/** Text that could not fit if every token were the longest one is refused before it is tokenised. */
function refuseHopeless(model: Model, prompt: Exclude<Prompt, { kind: "tokens" }>): void {
  const characters =
    prompt.kind === "text" ? prompt.text.length : prompt.messages.reduce((sum, message) => sum + message.content.length, 0);
  const most = model.info.contextLength * model.tokenizer.maxTokenBytes;
  if (characters > most) {
    throw new BonsaiError(
      "context_length_exceeded",
      `The prompt has ${characters} characters; at most ${most} could fit a context of ${model.info.contextLength} tokens.`,
      {
        param: prompt.kind === "text" ? "prompt" : "messages",
      },
    );
  }
}
