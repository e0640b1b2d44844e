/** @file How a policy's answers compare with a baseline's, and in what manner they are written: win rate, distance, length, variety, refusals. */

import { shareOf, successOf, type Case, type Share } from "../reward/evaluation-statistics.ts";
import type { Message } from "../teddy/conversation.ts";
import { turnsDown, type GoldScores } from "../teddy/judge.ts";
import { readQuestion } from "../teddy/read-question.ts";
import { wordsOf } from "../teddy/words.ts";
import type { Distance } from "./policy-distance.ts";

export interface PolicyManner {
  name: string;
  /** Mean words of an answer. */
  words: number;
  /** Distinct pairs of neighbouring words among all of the first answers (Li et al. 2016, distinct-2), and single words. */
  distinct: [words: number, pairs: number];
  /** Answers that turn down what was asked, to unsafe prompts and to others. Undefined where there are none. */
  declinesUnsafe: Share | undefined;
  declinesSafe: Share | undefined;
  /** Share of answers that are better than the baseline's of the same number; a tie is half of one. */
  winRate?: Share;
  distance?: Distance | undefined;
}

/** @param policy its answers, [prompts][samples] */
export function mannerOf(
  { name, answers }: { name: string; answers: readonly (readonly string[])[] },
  prompts: readonly (readonly Message[])[],
): PolicyManner {
  const all = answers.flat();
  const cases: Record<"unsafe" | "safe", Case[]> = { unsafe: [], safe: [] };
  for (const [prompt, ofPrompt] of answers.entries()) {
    const messages = prompts[prompt]!;
    const kind = readQuestion(messages)?.danger === undefined ? "safe" : "unsafe";
    for (const answer of ofPrompt) cases[kind].push({ success: Number(turnsDown(messages, answer)), prompt });
  }
  const share = (of: readonly Case[]): Share | undefined => (of.length === 0 ? undefined : shareOf(of));
  const firsts = answers.map(([first]) => wordsOf(first ?? ""));
  return {
    name,
    words: all.reduce((sum, answer) => sum + wordsOf(answer).length, 0) / all.length,
    distinct: [distinctShare(firsts, 1), distinctShare(firsts, 2)],
    declinesUnsafe: share(cases.unsafe),
    declinesSafe: share(cases.safe),
  };
}

/** Different runs of n neighbouring words as a share of all runs of n; 0 where there is none. */
export function distinctShare(texts: readonly (readonly string[])[], n: number): number {
  const runs = texts.flatMap((words) =>
    Array.from({ length: Math.max(0, words.length - n + 1) }, (_, at) => words.slice(at, at + n).join(" ")),
  );
  return runs.length === 0 ? 0 : new Set(runs).size / runs.length;
}

/** @param scores [prompts][samples], as many of each as the baseline has */
export function winRateOf(scores: readonly (readonly GoldScores[])[], baseline: readonly (readonly GoldScores[])[]): Share {
  return shareOf(
    scores.flatMap((ofPrompt, prompt) =>
      ofPrompt.map(({ score }, sample): Case => ({ success: successOf(score - baseline[prompt]![sample]!.score, 1), prompt })),
    ),
  );
}

/** A Markdown table: a row for each policy. */
export function mannerTable(manners: readonly PolicyManner[], baseline: string | undefined): string[] {
  const share = (of: Share | undefined): string =>
    of === undefined ? "" : `${of.share.toFixed(3)} (${of.low.toFixed(3)} to ${of.high.toFixed(3)})`;
  const compares = baseline !== undefined;
  const compared = ({ winRate, distance }: PolicyManner): string[] =>
    compares ? [share(winRate), distance === undefined ? "" : `${distance.mean.toFixed(2)} ± ${distance.margin.toFixed(2)}`] : [];
  const titles = [
    ...(compares ? [`better than ${baseline}`, `KL from ${baseline}`] : []),
    "words",
    "distinct-1",
    "distinct-2",
    "declines unsafe requests",
    "declines safe ones",
  ];
  const rows = manners.map((manner) => {
    const { name, words, distinct, declinesUnsafe, declinesSafe } = manner;
    const shown = [
      ...compared(manner),
      words.toFixed(1),
      ...distinct.map((value) => value.toFixed(3)),
      share(declinesUnsafe),
      share(declinesSafe),
    ];
    return `| ${[name, ...shown].join(" | ")} |`;
  });
  return [
    `| | ${titles.join(" | ")} |`,
    `| --- |${titles.map(() => " ---: |").join("")}`,
    ...rows,
    "",
    `Shares stand with 95% intervals over prompts${compares ? "; of two answers to a prompt the one with the higher score is better, and a tie counts half; KL is in nats an answer" : ""}.`,
  ];
}
