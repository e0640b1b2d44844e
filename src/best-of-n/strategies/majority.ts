/** @file Majority vote (self-consistency): the answer that most candidates agree on. */

import { rankByScore, type RankedCandidate } from "./ranking.ts";

/** The part of a text that is voted on. */
export type VotedPart = "text" | "last_line" | "last_number";

/**
 * The candidates by the share of all votes that their answer got (Wang et al. 2022, "Self-consistency improves chain of
 * thought reasoning", arXiv 2203.11171, section 2, unweighted). Of several candidates with one answer, and of answers
 * with equal shares, the lowest index is first: so the whole group that won precedes the next one only where its share
 * is larger.
 *
 * @returns the ranking, with the shares as scores; a candidate without an answer has no vote and no score
 */
export function rankByMajority(candidates: readonly { index: number; text: string }[], part: VotedPart): RankedCandidate[] {
  const answers = candidates.map(({ index, text }) => ({ index, answer: answerOf(text, part) }));
  const votes = new Map<string, number>();
  let all = 0;
  for (const { answer } of answers) {
    if (answer === undefined) continue;
    votes.set(answer, (votes.get(answer) ?? 0) + 1);
    all++;
  }
  return rankByScore(answers.map(({ index, answer }) => ({ index, score: answer === undefined ? undefined : votes.get(answer)! / all })));
}

/**
 * What a text votes for: without differences of white space, case and the full stop at its end. Undefined where the
 * part is not there. A number is read as people write it: "1,234.50" votes with 1234.5.
 */
export function answerOf(text: string, part: VotedPart): string | undefined {
  if (part === "last_number") {
    const digits = text.match(/-?\d[\d,]*(?:\.\d+)?/g)?.at(-1);
    return digits === undefined ? undefined : String(Number(digits.replaceAll(",", "")));
  }
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const chosen = part === "last_line" ? (lines.at(-1) ?? "") : text;
  const answer = chosen.trim().replaceAll(/\s+/g, " ").replace(/\.+$/, "").toLowerCase();
  return answer === "" ? undefined : answer;
}
