/**
 * @file Which models are served together: adapters with their bases, heads and implicit rewards with their policies.
 */

import { BonsaiError } from "../errors/bonsai-error.ts";
import {
  baseNameOf,
  described,
  findBase,
  headOver,
  implicitOver,
  isAdapter,
  isEncoderAdapter,
  isImplicitReward,
  isPolicyHead,
  isRewardModel,
  policiesOf,
  policyNameOf,
  type FoundModel,
  type ServedModel,
} from "./adapter-base.ts";

/**
 * Attaches each adapter to its base and each head to its policy, which are served too; but an encoder's adapter is a
 * reward model by itself.
 * @param present what else is in the models' folder
 * @param findMissing finds the base of an adapter, or the policy of a head, that is not among the models; undefined
 * leaves the adapter or head out
 * @throws BonsaiError `usage` for two models of one id
 */
export async function attachModels(
  all: readonly FoundModel[],
  present: readonly FoundModel[],
  findMissing: FindMissing,
): Promise<ServedModel[]> {
  const implicit = all.filter(isImplicitReward);
  const models = all.filter((model) => !implicit.includes(model));
  const heads = models.filter(isPolicyHead);
  const served: ServedModel[] = models.filter((model) => !isAdapter(model) && !heads.includes(model)).map(described);
  for (const adapter of models.filter(isAdapter)) {
    if (!isEncoderAdapter(adapter)) await attachAdapter(adapter, served, findMissing);
    else served.push(...(await withEncoder(adapter, [...models, ...present], findMissing)));
  }
  for (const head of heads) {
    const name = policyNameOf(head);
    let policy = name === undefined ? undefined : findBase(name, head, policiesIn(served));
    if (policy === undefined) {
      const found = await findMissing(head, name);
      if (found === undefined) continue;
      if (isAdapter(found)) await attachAdapter(found, served, findMissing);
      else if (!served.some(({ path }) => path === found.path)) served.push(described(found));
      policy = policiesIn(served).find(({ path }) => path === found.path);
      if (policy === undefined) continue;
    }
    (holderOf(policy, served).heads ??= []).push(headOver(head, policy));
  }
  for (const reward of implicit) attachImplicitReward(reward, served);
  requireUniqueIds(allServed(served));
  return served;
}

/** Models with all that is served over them. */
export function allServed(models: readonly ServedModel[]): FoundModel[] {
  return models.flatMap((model) => [model, ...(model.adapters ?? []), ...(model.heads ?? []), ...(model.implicitRewards ?? [])]);
}

/** Attaches an implicit reward to its policy; one whose policy or reference is not served is left out. */
function attachImplicitReward(reward: FoundModel, served: ServedModel[]): void {
  const [policy, reference] = policiesOf(reward).map((name) => findBase(name, reward, policiesIn(served)));
  if (policy === undefined || reference === undefined) return;
  (holderOf(policy, served).implicitRewards ??= []).push(implicitOver(reward, policy.id, reference.id));
}

/** The policies that are served, adapters among them. */
function policiesIn(served: readonly ServedModel[]): FoundModel[] {
  return served.flatMap((model) => [model, ...(model.adapters ?? [])]).filter(isPolicy);
}

/** The model that is the policy, or whose adapter is. */
function holderOf(policy: FoundModel, served: readonly ServedModel[]): ServedModel {
  return served.find((model) => model === policy || model.adapters?.some((adapter) => adapter === policy))!;
}

/**
 * Whether adapters and heads may belong to the model, which is a policy or a bare encoder: of two models that match the
 * name of their base, one may be a reward model.
 */
export function isPolicy(model: FoundModel): boolean {
  return !isRewardModel(model);
}

/** Finds the base of an adapter, or the policy of a head. */
type FindMissing = (model: FoundModel, base: string | undefined) => Promise<FoundModel | undefined>;

/** An encoder's adapter with its encoder; none where that is not there. */
async function withEncoder(adapter: FoundModel, models: readonly FoundModel[], findMissing: FindMissing): Promise<ServedModel[]> {
  const name = baseNameOf(adapter);
  const encoder = (name && findBase(name, adapter, models.filter(isPolicy))) || (await findMissing(adapter, name));
  return encoder === undefined ? [] : [{ ...described(adapter), encoder: encoder.path }];
}

async function attachAdapter(adapter: FoundModel, served: ServedModel[], findMissing: FindMissing): Promise<void> {
  const name = baseNameOf(adapter);
  let base = name === undefined ? undefined : findBase(name, adapter, served.filter(isPolicy));
  if (base === undefined) {
    const found = await findMissing(adapter, name);
    if (found === undefined) return;
    base = served.find(({ path }) => path === found.path);
    if (base === undefined) served.push((base = described(found)));
  }
  (base.adapters ??= []).push(described(adapter));
}

function requireUniqueIds(models: readonly FoundModel[]): void {
  for (const [index, model] of models.entries()) {
    const first = models.findIndex((candidate) => candidate.id === model.id);
    if (first !== index) {
      throw new BonsaiError(
        "usage",
        `Two models are called ${model.id} (${models[first]?.path} and ${model.path}): give one another name with ALIAS=PATH.`,
        {
          param: "--model",
        },
      );
    }
  }
}
