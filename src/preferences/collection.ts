/**
 * @file What is collected about one prompt: its answers, which of them are compared, and what each judge says. A row of
 * the collection's journal.
 */

import { conversationOf, findCandidates, type Candidate, type CandidateSources, type PromptRow } from "./candidates.ts";
import type { Judge, JudgedAnswers, Ranking, Score, Verdict } from "../judges/judges.ts";
import { shuffled } from "../random/seeded-draw.ts";

/** pairs: which of two is better; lists: all answers in order; points: each answer alone. */
export const judgedForms = ["pairs", "lists", "points"] as const;
export type JudgedForm = (typeof judgedForms)[number];

/** All that was found about a prompt. What it does not have in its form is absent. */
export interface CollectedPrompt {
  /** The prompt's place among all. */
  index: number;
  candidates: readonly Candidate[];
  duplicates: number;
  /** Places of the answers that were compared. */
  pairs?: readonly (readonly [number, number])[];
  /** By judge: a verdict for each pair, the ranking, or a score for each answer (null for no opinion). */
  verdicts?: Readonly<Record<string, readonly Verdict[]>>;
  rankings?: Readonly<Record<string, Ranking>>;
  scores?: Readonly<Record<string, readonly (Score | null)[]>>;
}

export interface CollectionPlan {
  sources: CandidateSources;
  /** The first one labels; all are compared. At least one; their names differ. */
  judges: readonly Judge[];
  form: JudgedForm;
  /** Pairs of each prompt; undefined takes all. */
  pairsPerPrompt: number | undefined;
  seed: number;
}

/** Samples and judges one prompt: the same at each asking, whatever else is asked. */
export async function collectPrompt(row: PromptRow, index: number, plan: CollectionPlan): Promise<CollectedPrompt> {
  const { sources, judges, form, pairsPerPrompt, seed } = plan;
  const { candidates, duplicates } = await findCandidates(row, index, sources);
  const judged: JudgedAnswers = {
    prompt: conversationOf(row.prompt),
    answers: candidates.map(({ text }) => text),
    references: row.references,
    origins: candidates.map(({ origin }) => origin),
    index,
  };
  const found = { index, candidates, duplicates };
  if (form === "points") return { ...found, scores: await byJudge(judges, (judge) => scoresOf(judge, judged)) };
  if (form === "lists") return { ...found, rankings: await byJudge(judges, (judge) => judge.rank(judged)) };
  const pairs = pairsOf(candidates, index, pairsPerPrompt, seed);
  const compareAll = async (judge: Judge): Promise<Verdict[]> => {
    const verdicts: Verdict[] = [];
    for (const [first, second] of pairs) verdicts.push(await judge.compare(judged, first, second));
    return verdicts;
  };
  return { ...found, pairs, verdicts: await byJudge(judges, compareAll) };
}

async function byJudge<T>(judges: readonly Judge[], ask: (judge: Judge) => Promise<T>): Promise<Record<string, T>> {
  const entries: [string, T][] = [];
  for (const judge of judges) entries.push([judge.name, await ask(judge)]);
  return Object.fromEntries(entries);
}

async function scoresOf(judge: Judge, judged: JudgedAnswers): Promise<(Score | null)[]> {
  const scores: (Score | null)[] = [];
  for (let answer = 0; answer < judged.answers.length; answer++) scores.push((await judge.score?.(judged, answer)) ?? null);
  return scores;
}

/**
 * Pairs of places, the first before the second: rewrites with their originals where there are some, else all, and of
 * many some by the seed.
 */
function pairsOf(candidates: readonly Candidate[], index: number, most: number | undefined, seed: number): [number, number][] {
  const all: [number, number][] = [];
  const hasRewrites = candidates.some(({ origin }) => origin === "rewrite");
  for (let second = 1; second < candidates.length; second++) {
    for (let first = 0; first < second; first++) if (!hasRewrites || candidates[second]!.of === first) all.push([first, second]);
  }
  if (most === undefined || most >= all.length) return all;
  return shuffled(all, seed, "pairing", index)
    .slice(0, most)
    .toSorted(([a, b], [c, d]) => a - c || b - d);
}
