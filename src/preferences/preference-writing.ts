/**
 * @file Makes preference rows in the formats of TRL from collected verdicts: treats ties, adds label noise, and writes
 * no pair twice.
 */

import type { Message } from "../text/conversation/message.ts";
import { type Candidate, type PromptRow } from "./candidates.ts";
import type { CollectedPrompt } from "./collection.ts";
import { pairNumber, type Preference, type Ranking, type Verdict } from "../judges/judges.ts";
import { selectPairs, type PairSelection, type SelectionCounts } from "./pair-selection.ts";
import { draw } from "../random/seeded-draw.ts";
import { upperMedian } from "../statistics/quantiles.ts";

/** How a tie is treated: drop leaves the pair out, coin picks a side at random, keep writes it with margin 0. */
export const tieRules = ["drop", "coin", "keep"] as const;
export type TieRule = (typeof tieRules)[number];

export const scales = ["binary", "graded"] as const;
export type Scale = (typeof scales)[number];

export interface WritingOptions {
  /** The judge that sets the labels. */
  judge: string;
  /** binary: which answer is better. graded: also by how much, in the units of the judge. */
  scale: Scale;
  ties: TieRule;
  /**
   * Probability in [0, 0.5] that a label is flipped. Drawn for each pair, each of its dimensions, each two neighbours
   * of a ranking, and each binary mark.
   */
  noise: number;
  /** Lowest mark of a good answer, for binary marks. Undefined: the median of all marks. */
  threshold: number | undefined;
  /** Which of the judged pairs are written. */
  selection: PairSelection;
  seed: number;
}

export interface WritingCounts extends SelectionCounts {
  /** Prompts that were given to the writer. */
  prompts: number;
  rows: number;
  /** Prompts whose answers all read alike, so that there is nothing to compare. */
  promptsWithoutPairs: number;
  ties: number;
  withoutOpinion: number;
  /** Pairs left out because they were written before. */
  repeated: number;
  /** Labels that noise flipped. */
  flipped: number;
}

/** A line of the written file. */
export type PreferenceRow = Record<string, unknown>;

/** Makes the rows of one prompt at a time; `counts` is complete after the last prompt. */
export class PreferenceWriter {
  // prettier-ignore
  readonly counts: WritingCounts = {
    prompts: 0, rows: 0, promptsWithoutPairs: 0, ties: 0, withoutOpinion: 0, repeated: 0, flipped: 0, close: 0, unlikeLengths: 0, contradicted: 0, weaker: 0,
  };
  readonly #options: WritingOptions;
  readonly #threshold: number;
  readonly #written = new Set<string>();

  /** @param collected all prompts: the default threshold is the median of their marks */
  constructor(options: WritingOptions, collected: Iterable<CollectedPrompt>) {
    this.#options = options;
    this.#threshold = options.threshold ?? medianScore(collected, options.judge);
  }

  /** Lowest mark of a good answer. */
  get threshold(): number {
    return this.#threshold;
  }

  rowsOf(row: PromptRow, collected: CollectedPrompt): PreferenceRow[] {
    this.counts.prompts++;
    if (collected.candidates.length < 2 && collected.scores === undefined) this.counts.promptsWithoutPairs++;
    const { judge } = this.#options;
    const { index, candidates } = collected;
    const rows: (PreferenceRow | undefined)[] = [];
    for (const place of this.#selected(collected))
      rows.push(this.#pair(row, collected, collected.pairs![place]!, collected.verdicts![judge]![place]!));
    if (collected.rankings !== undefined && candidates.length > 1) rows.push(this.#list(row, collected, collected.rankings[judge]!));
    for (const [place, score] of (collected.scores?.[judge] ?? []).entries())
      rows.push(this.#point(row, candidates[place]!, pairNumber(index, place, place), score?.score, score?.dimensions));
    const kept = rows.filter((one) => one !== undefined);
    this.counts.rows += kept.length;
    return kept;
  }

  /** Places of the pairs to write; repeated pairs are still among them. */
  #selected(collected: CollectedPrompt): number[] {
    const { judge, ties, selection } = this.#options;
    const judged = [...(collected.pairs ?? []).keys()].filter((place) => {
      const { preference } = collected.verdicts![judge]![place]!;
      if (preference === undefined) this.counts.withoutOpinion++;
      if (preference === 0) this.counts.ties++;
      return preference !== undefined && (preference !== 0 || ties !== "drop");
    });
    return selectPairs(collected, judge, judged, selection, this.counts);
  }

  #pair(
    row: PromptRow,
    { index, candidates }: CollectedPrompt,
    [first, second]: readonly [number, number],
    verdict: Verdict,
  ): PreferenceRow | undefined {
    const { judge, scale, noise, seed } = this.#options;
    const number = pairNumber(index, first, second);
    if (!this.#isNew(row, [candidates[first]!.text, candidates[second]!.text].toSorted())) return this.#leftOut("repeated");
    const side: Preference = verdict.preference !== 0 ? verdict.preference! : draw(seed, "coin", number) < 0.5 ? 1 : -1;
    const isFlipped = draw(seed, "noise", number) < noise;
    if (isFlipped) this.counts.flipped++;
    const firstChosen = (side === 1) !== isFlipped;
    const [chosen, rejected] = firstChosen ? [candidates[first]!, candidates[second]!] : [candidates[second]!, candidates[first]!];
    const margin = verdict.preference === 0 ? 0 : verdict.margin;
    const preferences = Object.entries(verdict.preferences ?? {}).map(([dimension, preference], at) => {
      const flip = draw(seed, "noise", number, at + 1) < noise ? -1 : 1;
      return [dimension, preference === 0 ? 0 : preference * flip * (firstChosen ? 1 : -1)] as const;
    });
    return {
      prompt: row.prompt,
      chosen: completionOf(row, chosen),
      rejected: completionOf(row, rejected),
      ...((scale === "graded" || margin === 0) && margin !== undefined ? { margin: rounded(margin) } : {}),
      judge: namedJudge(judge, verdict.by),
      scale,
      ...(preferences.length === 0 ? {} : { preferences: Object.fromEntries(preferences) }),
      ...seedsOf([chosen, rejected]),
    };
  }

  #list(row: PromptRow, { index, candidates }: CollectedPrompt, { ranks, by }: Ranking): PreferenceRow | undefined {
    const { judge, noise, seed, ties } = this.#options;
    if (ranks === undefined) return this.#leftOut("withoutOpinion");
    if (new Set(ranks).size === 1) {
      this.counts.ties++;
      if (ties === "drop") return undefined;
    }
    if (!this.#isNew(row, candidates.map(({ text }) => text).toSorted())) return this.#leftOut("repeated");
    const order = ranks.map((_, place) => place).toSorted((a, b) => ranks[a]! - ranks[b]! || a - b);
    const noisy = [...ranks];
    for (let at = 0; at + 1 < order.length; at++) {
      const [better, worse] = [order[at]!, order[at + 1]!];
      if (noisy[better] === noisy[worse] || draw(seed, "noise", pairNumber(index, better, worse)) >= noise) continue;
      [noisy[better], noisy[worse]] = [noisy[worse]!, noisy[better]!];
      [order[at], order[at + 1]] = [worse, better];
      this.counts.flipped++;
    }
    const completions = candidates.map((candidate) => completionOf(row, candidate));
    return { prompt: row.prompt, completions, ranks: noisy, judge: namedJudge(judge, by), scale: "ranks", ...seedsOf(candidates) };
  }

  /** TRL's unpaired preference, or the mark itself. */
  #point(
    row: PromptRow,
    candidate: Candidate,
    number: number,
    score: number | undefined,
    dimensions: Readonly<Record<string, number>> | undefined,
  ): PreferenceRow | undefined {
    const { judge, scale, noise, seed } = this.#options;
    if (score === undefined) return this.#leftOut("withoutOpinion");
    if (!this.#isNew(row, [candidate.text])) return this.#leftOut("repeated");
    const isFlipped = scale === "binary" && draw(seed, "noise", number) < noise;
    if (isFlipped) this.counts.flipped++;
    return {
      prompt: row.prompt,
      completion: completionOf(row, candidate),
      ...(scale === "binary" ? { label: score >= this.#threshold !== isFlipped } : { score: rounded(score) }),
      ...(scale === "graded" && dimensions !== undefined ? { scores: dimensions } : {}),
      judge,
      scale,
      ...seedsOf([candidate]),
    };
  }

  #leftOut(reason: "withoutOpinion" | "repeated"): undefined {
    this.counts[reason]++;
  }

  #isNew(row: PromptRow, texts: readonly string[]): boolean {
    const key = JSON.stringify([row.prompt, texts]);
    const isNew = !this.#written.has(key);
    this.#written.add(key);
    return isNew;
  }
}

/** Conversations are answered by a message, texts by a text (TRL, "Dataset formats and types"). */
function completionOf({ prompt }: PromptRow, { text }: Candidate): string | Message[] {
  return typeof prompt === "string" ? text : [{ role: "assistant", content: text }];
}

/** The judge's name, with that of its member where a judge of several members says which one decided. */
function namedJudge(judge: string, by: string | undefined): string {
  return by === undefined || judge.endsWith(`=${by}`) ? judge : `${judge}:${by}`;
}

/** Seeds of the answers in the row's order, where all were sampled. */
function seedsOf(candidates: readonly Candidate[]): { seeds?: number[] } {
  const seeds = candidates.map(({ seed }) => seed).filter((seed) => seed !== undefined);
  return seeds.length === candidates.length ? { seeds } : {};
}

/** Six significant digits: the same on every machine. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

/** Median of all marks of a judge; 0 where there are none. */
function medianScore(collected: Iterable<CollectedPrompt>, judge: string): number {
  const scores: number[] = [];
  for (const { scores: all } of collected) for (const score of all?.[judge] ?? []) if (score !== null) scores.push(score.score);
  return upperMedian(scores) ?? 0;
}
