/**
 * @file What makes a decoder a reward model: a head among its weights, in an adapter, or of its own over a policy's
 * hidden states.
 */

import { createHash } from "node:crypto";
import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { readScoreFile, type ScoreWeight } from "../../formats/safetensors/score-weight.ts";
import type { ModelInfo } from "../contract/request.ts";
import type { RewardDescription } from "../contract/reward-description.ts";
import { RewardHead } from "./reward-head.ts";

/** A reward model and what its outputs mean. */
export interface ScoringPart {
  reward: RewardDescription;
  head: RewardHead;
}

/** A reward model over the hidden states of a policy. */
export interface PolicyHeadOptions {
  id: string;
  /** Folder of reward.json and score.safetensors. */
  path: string;
  /** Id of the policy: a model or one of its adapters. */
  policy: string;
  reward: RewardDescription;
  /** `contentHash` of the policy that the head was trained on. */
  sha256: string;
}

/** One of the two models of an implicit reward. */
interface NamedPolicy {
  /** Id of a model that is served, or of one of its adapters. */
  id: string;
  /** Its `contentHash`, as the reward model knows it. */
  sha256: string;
}

/** A reward model by the probabilities of two models. */
export interface ImplicitRewardOptions {
  id: string;
  /** Folder of reward.json. */
  path: string;
  reward: RewardDescription;
  policy: NamedPolicy;
  reference: NamedPolicy;
  beta: number;
}

/** The head of a model with weights of its own. Throws `invalid_model_file` where it has none that fits. */
export function headOfFile(reward: RewardDescription, { weights, path }: ModelFile, config: DecoderConfig): ScoringPart {
  const info = weights.infos.get("score.weight");
  const [outputs, inputs] = info?.shape ?? [];
  if (outputs === undefined || inputs === undefined)
    throw new BonsaiError("invalid_model_file", `${path}: reward.json makes it a reward model, and the tensor "score.weight" is missing.`);
  return headOfWeight(reward, { weight: weights.readFloat32("score.weight"), outputs, inputs }, config, path);
}

/** @param path for errors */
export function headOfWeight(reward: RewardDescription, score: ScoreWeight, config: DecoderConfig, path: string): ScoringPart {
  const expected = { outputs: reward.dimensions.length, inputs: config.hiddenSize };
  return { reward, head: new RewardHead(score, expected, path) };
}

/**
 * The head of a folder over a policy's hidden states.
 * @param policyHash `contentHash` of the policy that is served
 * @throws BonsaiError `invalid_model_file` where it is not the one that the head was trained on, or the head does not
 * fit
 */
export function headOfPolicy(options: PolicyHeadOptions, policyHash: string, config: DecoderConfig): ScoringPart {
  const { path, policy, sha256, reward } = options;
  if (sha256 !== policyHash) {
    throw new BonsaiError(
      "invalid_model_file",
      `${path}: the head was trained on another ${policy}: reward.json names the policy with sha256 ${sha256.slice(0, 12)}…, and the one that is served has ${policyHash.slice(0, 12)}…; train the head again.`,
      { param: "policy.sha256" },
    );
  }
  return headOfWeight(reward, readScoreFile(path), config, path);
}

/** A model of the engine, as far as heads go. */
interface PolicyOrHead {
  info: ModelInfo;
  score?: ScoringPart | undefined;
}

/**
 * The head of a reward model that reads the states of this policy while it decodes. Throws `invalid_request` where the
 * one of this id does not.
 */
export function headReadingAlong(policy: PolicyOrHead, reader: PolicyOrHead | undefined, id: string): RewardHead {
  if (reader?.score?.reward.form === "policy-head" && reader.info.base === policy.info.id) return reader.score.head;
  throw new BonsaiError("invalid_request", `${id} is no reward model over the hidden states of ${policy.info.id}.`, { param: "head" });
}

/**
 * What tells a policy from others: of a model of its own the `contentHash`, of an adapter this over its base's and its
 * own.
 */
export function tunedContentHash(base: string, adapter: string): string {
  return createHash("sha256").update(`${base}\0${adapter}`).digest("hex");
}

/** A reward model as it is listed. Its fingerprint changes with the head and with what makes its outputs rewards. */
export function scoringInfo(info: ModelInfo, { reward, head }: ScoringPart): ModelInfo {
  const own = createHash("sha256").update(JSON.stringify(reward)).update(head.bytes).digest("hex").slice(0, 12);
  const { rewardModel: _, ...rest } = info;
  return {
    ...rest,
    kind: "reward",
    contextLength: Math.min(info.contextLength, reward.maxLength),
    fingerprint: `${info.fingerprint}-${own}`,
    reward,
  };
}
