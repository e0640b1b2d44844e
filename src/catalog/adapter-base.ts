/**
 * @file Which base an adapter belongs to, and which policy a head reads: by the name that adapter_config.json or
 * reward.json keeps, among models that are served, present, on disk or in the catalog.
 */

import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { readJsonObject } from "../formats/json-file.ts";
import type { RewardDescription } from "../engine/contract/reward-description.ts";
import type { ImplicitRewardOptions, PolicyHeadOptions } from "../engine/scoring/decoder-reward.ts";
import { adapterConfigFile } from "../formats/peft-adapter.ts";
import { readRewardConfig, rewardConfigFile } from "../reward/reward-config.ts";
import { readModelDefaults } from "./model-defaults.ts";

/** A model, or an adapter that does not know its base yet. */
export interface FoundModel {
  /** The name under which it is served. */
  id: string;
  /** A .gguf file, or a folder in Hugging Face's or PEFT's layout. Absolute. */
  path: string;
}

/** A model or adapter that may be a reward model. */
export interface DescribedModel extends FoundModel {
  /** What its outputs mean; policies have none. */
  reward?: RewardDescription;
  /** Id of the reward model that a policy's folder names for Best-of-N. */
  rewardModel?: string;
}

export interface ServedModel extends DescribedModel {
  /** Folder of the encoder under an encoder's adapter. */
  encoder?: string;
  /** Adapters that are served over its weights. */
  adapters?: DescribedModel[];
  /** Reward models that read its hidden states, or those of an adapter. */
  heads?: PolicyHeadOptions[];
  /** Reward models by its probabilities, or an adapter's, over those of another model that is served. */
  implicitRewards?: ImplicitRewardOptions[];
}

const largestConfigBytes = 2 ** 20;

export function isAdapter({ path }: FoundModel): boolean {
  return existsSync(join(path, adapterConfigFile));
}

export function isRewardModel({ path }: FoundModel): boolean {
  return existsSync(join(path, rewardConfigFile));
}

/**
 * Whether a folder is an adapter that makes a reward model of an encoder. Throws `invalid_model_file` where its
 * reward.json is wrong.
 */
export function isEncoderAdapter(model: FoundModel): boolean {
  return isAdapter(model) && isRewardModel(model) && readRewardConfig(model.path).form === "encoder";
}

/**
 * Whether a folder is a head over the hidden states of a policy, and no model or adapter. Throws `invalid_model_file`
 * where its reward.json is wrong.
 */
export function isPolicyHead(model: FoundModel): boolean {
  return isRewardModel(model) && readRewardConfig(model.path).form === "policy-head";
}

/** Whether a folder is the implicit reward of a policy. Throws as `isPolicyHead`. */
export function isImplicitReward(model: FoundModel): boolean {
  return isRewardModel(model) && readRewardConfig(model.path).form === "implicit";
}

/** The names of the policy and of its reference. */
export function policiesOf(implicit: FoundModel): [policy: string, reference: string] {
  const { policy, reference } = readRewardConfig(implicit.path);
  return [policy!.name, reference!.name];
}

/** An implicit reward whose two models are served under these ids. */
export function implicitOver({ id, path }: FoundModel, policyId: string, referenceId: string): ImplicitRewardOptions {
  const { policy, reference, beta, ...reward } = readRewardConfig(path);
  return {
    id,
    path,
    reward,
    policy: { id: policyId, sha256: policy!.sha256 },
    reference: { id: referenceId, sha256: reference!.sha256 },
    beta: beta!,
  };
}

/** The model with what its outputs mean, where it is a reward model, and with its defaults where it is a policy. */
export function described(model: FoundModel): DescribedModel {
  return isRewardModel(model) ? { ...model, reward: readRewardConfig(model.path) } : { ...model, ...readModelDefaults(model.path) };
}

/** A head whose policy is served as `policy`. */
export function headOver({ id, path }: FoundModel, policy: FoundModel): PolicyHeadOptions {
  const { policy: named, reference: _, beta: __, ...reward } = readRewardConfig(path);
  return { id, path, policy: policy.id, reward, sha256: named?.sha256 ?? "" };
}

/** What the head says its policy is, as `baseNameOf`. */
export function policyNameOf(head: FoundModel): string | undefined {
  return readRewardConfig(head.path).policy?.name;
}

/**
 * What the adapter says its base is: a name of the Hugging Face hub, a folder, or a name of ours; undefined where it
 * says nothing.
 */
export function baseNameOf(adapter: FoundModel): string | undefined {
  const name = readJsonObject(join(adapter.path, adapterConfigFile), largestConfigBytes)["base_model_name_or_path"];
  return typeof name === "string" && name !== "" ? name : undefined;
}

/**
 * The model of that name: its id or the last part of the name, whatever its case, or its folder, seen from the
 * adapter's (or head's) or from here.
 */
export function findBase<M extends FoundModel>(name: string, adapter: FoundModel, models: readonly M[]): M | undefined {
  const paths = new Set([resolve(adapter.path, name), resolve(name)]);
  const last = basename(name).toLowerCase();
  return (
    models.find(({ path }) => paths.has(path)) ?? models.find(({ id }) => id === name) ?? models.find(({ id }) => id.toLowerCase() === last)
  );
}
