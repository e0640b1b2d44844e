/** @file Minimum Bayes risk: the answer most like all the others. */

import type { Scored } from "./ranking.ts";
import { profileOf, similarity } from "./similarity.ts";

/**
 * Scores each candidate by its mean similarity to the others, the expected utility under the sampled distribution
 * (Kumar and Byrne 2004; with samples as hypotheses and evidence Eikema and Aziz 2020, arXiv 2005.10283; for
 * instructions Wu et al. 2024, arXiv 2410.02902).
 *
 * One candidate at a time, so that whoever runs it can do other things in between: all of them cost a comparison for
 * each pair, and texts that are the same are compared once.
 *
 * @yields scores in the order of the candidates. A single candidate has no others, and the score 0.
 */
export function* scoreByConsensus(candidates: readonly { index: number; text: string }[]): Generator<Scored, void, undefined> {
  const copies = new Map<string, number>();
  for (const { text } of candidates) copies.set(text, (copies.get(text) ?? 0) + 1);
  const distinct = [...copies].map(([text, count]) => ({ text, count, profile: profileOf(text) }));
  const sums = new Map<string, number>();
  for (const { index, text } of candidates) {
    if (!sums.has(text)) {
      const own = distinct.find((entry) => entry.text === text)!;
      sums.set(
        text,
        distinct.reduce(
          (sum, { profile, count }) => sum + (profile === own.profile ? count - 1 : count * similarity(own.profile, profile)),
          0,
        ),
      );
    }
    yield { index, score: candidates.length === 1 ? 0 : sums.get(text)! / (candidates.length - 1) };
  }
}
