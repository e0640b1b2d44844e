/**
 * @file Ensembles of reward models as the engine lists them: a name for several models and the rule by which their
 * rewards become one.
 */

import { createHash } from "node:crypto";
import { didYouMean } from "../../config/suggestion.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelInfo } from "./request.ts";
import type { EnsembleDescription } from "./reward-description.ts";

export interface NamedEnsemble extends EnsembleDescription {
  id: string;
}

/**
 * The ensembles as models of the list: each takes after its first member what the rule does not decide.
 * @throws BonsaiError `usage` for a name that is taken, and for a member that is no reward model among them
 */
export function ensembleInfos<M extends ModelInfo>(models: readonly M[], ensembles: readonly NamedEnsemble[]): M[] {
  const taken = new Set(models.map(({ id }) => id));
  return ensembles.map(({ id, members: names, rule }) => {
    if (taken.has(id)) throw refusal(`Two models are called ${id}: give the ensemble another name.`);
    taken.add(id);
    const members = names.map((name) => memberNamed(name, id, models));
    const [first] = members as [M];
    const fingerprint = createHash("sha256")
      .update(JSON.stringify([rule, members.map((member) => member.fingerprint)]))
      .digest("hex");
    return {
      ...first,
      id,
      base: undefined,
      created: members.reduce((latest, { created }) => Math.max(latest, created), 0),
      contextLength: members.reduce((least, { contextLength }) => Math.min(least, contextLength), Infinity),
      fingerprint: `bonsai-${fingerprint.slice(0, 12)}`,
      reward: undefined,
      ensemble: { members: names, rule },
    };
  });
}

function memberNamed<M extends ModelInfo>(name: string, ensemble: string, models: readonly M[]): M {
  const rewardModels = models.filter(({ kind }) => kind === "reward");
  const member = rewardModels.find(({ id }) => id === name);
  if (member !== undefined) return member;
  const ids = rewardModels.map(({ id }) => id);
  throw refusal(
    `The ensemble ${ensemble} has ${JSON.stringify(name)} as a member, which is no reward model that is served.${didYouMean(name, ids)}` +
      (ids.length === 0 ? " None is served." : ` There are: ${ids.join(", ")}.`),
  );
}

function refusal(message: string): BonsaiError {
  return new BonsaiError("usage", message, { param: "--reward-ensemble" });
}
