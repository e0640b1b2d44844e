/**
 * @file Several reward models as one: an answer that only some of them like is worth less where the rule is a
 * pessimistic one.
 */

import type { NamedEnsemble } from "../engine/contract/ensembles.ts";
import type { EnsembleRule } from "../engine/contract/reward-description.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { meanOf, standardDeviation } from "../statistics/moments.ts";
import type { RewardedAnswer, RewardModel } from "./rewarded-answer.ts";

/** What the members' rewards come to. */
export function combine(rewards: readonly number[], rule: EnsembleRule): number {
  if (rule.kind === "minimum") return Math.min(...rewards);
  if (rule.kind === "mean") return meanOf(rewards);
  return meanOf(rewards) - rule.deviations * standardDeviation(rewards);
}

/**
 * One reward model out of several. Members' normalised rewards are combined, dimension by dimension where all have the
 * same ones; else the ensemble has the one dimension "reward". An ensemble's raw reward is its reward: members' raw
 * outputs have no scale in common.
 * @throws BonsaiError `usage` without members
 */
export function ensembleOf(name: string, members: readonly RewardModel[], rule: EnsembleRule): RewardModel {
  const [first] = members;
  if (first === undefined) throw new BonsaiError("usage", `The ensemble ${name} has no members: name at least one reward model.`);
  const share = members.every(({ dimensions }) => dimensions.join() === first.dimensions.join());
  const dimensions = share ? first.dimensions : ["reward"];
  return {
    name,
    dimensions,
    async score(inputs, { truncate, signal }) {
      const cancellation = new AbortController();
      const cancel = (): void => cancellation.abort(signal?.reason);
      signal?.addEventListener("abort", cancel);
      if (signal?.aborted) cancel();
      try {
        const scores = members.map(async (member) => member.score(inputs, { truncate, signal: cancellation.signal }));
        const byMember = await Promise.all(scores);
        return inputs.map((_, index) =>
          combineAnswers(
            byMember.map((answers) => answers[index] as RewardedAnswer),
            share ? dimensions.length : undefined,
            rule,
          ),
        );
      } finally {
        // One that failed has no use for what the others would say.
        cancel();
        signal?.removeEventListener("abort", cancel);
      }
    },
  };
}

/** @param dimensions how many the members have in common; undefined where they differ */
function combineAnswers(answers: readonly RewardedAnswer[], dimensions: number | undefined, rule: EnsembleRule): RewardedAnswer {
  const combined = (value: (answer: RewardedAnswer) => number): number => combine(answers.map(value), rule);
  const sum = (value: (answer: RewardedAnswer) => number): number => answers.reduce((total, answer) => total + value(answer), 0);
  const reward = combined((answer) => answer.reward);
  return {
    reward,
    raw: reward,
    dimensions:
      dimensions === undefined
        ? [reward]
        : Array.from({ length: dimensions }, (_, dimension) => combined((answer) => answer.dimensions[dimension] as number)),
    tokens: sum(({ tokens }) => tokens),
    cachedTokens: sum(({ cachedTokens }) => cachedTokens),
    cutTokens: sum(({ cutTokens }) => cutTokens),
  };
}

const definition = /^([A-Za-z0-9][A-Za-z0-9._-]*)=([^=,]+?)(?::(mean|minimum|mean-([0-9]+(?:\.[0-9]+)?)))?$/;

/**
 * An ensemble as it is written on a command line: `NAME=MODEL+MODEL` and, by `:mean`, `:minimum` or `:mean-K`, its
 * rule; the mean by default.
 * @throws BonsaiError `usage`
 */
export function parseEnsemble(text: string): NamedEnsemble {
  const [, id, list, rule, deviations] = definition.exec(text) ?? [];
  const members = (list ?? "").split("+");
  if (id === undefined || members.some((member) => member === "") || new Set(members).size < members.length) {
    throw new BonsaiError(
      "usage",
      `${JSON.stringify(text)} is no ensemble: write NAME=MODEL+MODEL with each reward model once, and :mean, :minimum or :mean-K (the mean less K deviations) after them.`,
      { param: "--reward-ensemble" },
    );
  }
  if (deviations !== undefined) return { id, members, rule: { kind: "pessimistic", deviations: Number(deviations) } };
  return { id, members, rule: { kind: rule === "minimum" ? "minimum" : "mean" } };
}
