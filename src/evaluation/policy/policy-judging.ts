/**
 * @file Judges the answers of sampled policies in one pass over the prompts: mean scores of each policy, and its win
 * rate against a baseline.
 */

import pLimit from "p-limit";
import { conversationOf, type PromptRow } from "../../preferences/candidates.ts";
import { mostAnswers, type Judge, type JudgedAnswers, type Preference } from "../../judges/judges.ts";
import { estimateMean, type Estimate } from "../../statistics/intervals.ts";
import { meanOf } from "../../statistics/moments.ts";
import { wordsOf } from "../../text/words.ts";
import { winRatesOf, type Outcome, type WinRates } from "../win-rates.ts";

/** Answers of a policy: [prompts][samples]. */
export interface SampledPolicy {
  name: string;
  answers: readonly (readonly string[])[];
}

export interface JudgedPolicies {
  judge: string;
  /**
   * Mean scores over prompts, by policy and then by dimension, of which "" is the whole. Empty for a judge that gives
   * no scores.
   */
  scores: ReadonlyMap<string, ReadonlyMap<string, Estimate>>;
  /** Win rates by policy, without the baseline. */
  wins: ReadonlyMap<string, WinRates>;
  /** The places chosen in each order (see `Verdict`), by a judge that is asked in both orders. */
  orders: readonly (Preference | null)[];
}

export interface Judging {
  rows: readonly PromptRow[];
  policies: readonly SampledPolicy[];
  /** One of the policies. */
  baseline: string | undefined;
  /** Prompts that are judged at once. */
  inFlight: number;
  /** Whether the judge compares and is not asked for scores. */
  comparesAlone: boolean;
}

/**
 * Answer i of a policy is compared with answer i of the baseline.
 * @param onProgress is called with the number of prompts that are judged
 */
export async function judgePolicies(judge: Judge, judging: Judging, onProgress: (done: number) => void): Promise<JudgedPolicies> {
  const { rows, policies } = judging;
  let done = 0;
  const found = await pLimit(judging.inFlight).map(rows, async (_, index) => {
    const opinion = await opinionOn(judge, judging, index);
    onProgress(++done);
    return opinion;
  });
  const scores = policies.map(({ name }, at) => [name, meansOf(found.map((opinion) => opinion.scores[at]!))] as const);
  const outcomes = policies.map(({ name }, at) => [name, found.flatMap((opinion) => opinion.outcomes[at]!)] as const);
  return {
    judge: judge.name,
    scores: new Map(scores.filter(([, means]) => means.size > 0)),
    wins: new Map(outcomes.filter(([, own]) => own.length > 0).map(([name, own]) => [name, winRatesOf(own)])),
    orders: found.flatMap(({ orders }) => orders),
  };
}

/**
 * A judge's opinion on one prompt: for each policy the scores of its answers by dimension, and its answers against the
 * baseline's.
 */
interface PromptOpinion {
  scores: Map<string, number[]>[];
  outcomes: Outcome[][];
  orders: (Preference | null)[];
}

async function opinionOn(judge: Judge, { rows, policies, baseline, comparesAlone }: Judging, index: number): Promise<PromptOpinion> {
  const row = rows[index]!;
  const baselineAt = policies.findIndex(({ name }) => name === baseline);
  const samples = policies[0]!.answers[index]!.length;
  // A judge takes so many answers at a time.
  const atOnce = Math.max(1, Math.floor(mostAnswers / policies.length));
  const parts = Math.ceil(samples / atOnce);
  const opinion: PromptOpinion = { scores: policies.map(() => new Map<string, number[]>()), outcomes: policies.map(() => []), orders: [] };
  for (let part = 0; part < parts; part++) {
    const ofPolicies = policies.map(({ answers }) => answers[index]!.slice(part * atOnce, (part + 1) * atOnce));
    const count = ofPolicies[0]!.length;
    const answers = ofPolicies.flat();
    const judged: JudgedAnswers = {
      prompt: conversationOf(row.prompt),
      answers,
      references: row.references,
      origins: answers.map(() => "sample" as const),
      index: index * parts + part,
    };
    for (const at of policies.keys()) {
      for (let sample = 0; sample < count; sample++) {
        const place = at * count + sample;
        const score = comparesAlone ? undefined : await judge.score?.(judged, place);
        if (score !== undefined) keepScores(opinion.scores[at]!, { "": score.score, ...score.dimensions });
        if (baselineAt < 0 || at === baselineAt) continue;
        const other = baselineAt * count + sample;
        const { preference, orders } = await judge.compare(judged, place, other);
        for (const order of orders ?? []) opinion.orders.push(order);
        opinion.outcomes[at]!.push({
          prompt: index,
          preference,
          words: [wordsOf(answers[place]!).length, wordsOf(answers[other]!).length],
        });
      }
    }
  }
  return opinion;
}

function keepScores(kept: Map<string, number[]>, scores: Readonly<Record<string, number>>): void {
  for (const [dimension, score] of Object.entries(scores)) kept.set(dimension, [...(kept.get(dimension) ?? []), score]);
}

/** Means over prompts of the means over their answers; prompts without an opinion do not count. */
function meansOf(prompts: readonly ReadonlyMap<string, number[]>[]): Map<string, Estimate> {
  const dimensions = new Set(prompts.flatMap((scores) => [...scores.keys()]));
  return new Map(
    [...dimensions].map((dimension) => {
      const means = prompts.flatMap((scores) => {
        const answerScores = scores.get(dimension);
        return answerScores === undefined ? [] : [meanOf(answerScores)];
      });
      return [dimension, estimateMean(means)];
    }),
  );
}
