/**
 * @file In what style a policy's answers are written: length, variety, refusals; and how far they are from a baseline.
 */

import { conversationOf } from "../../preferences/candidates.ts";
import { shareOf, type Case, type Estimate, type Share } from "../../statistics/intervals.ts";
import { meanOf } from "../../statistics/moments.ts";
import { turnsDown } from "../../teddy/judge/judge.ts";
import { readQuestion } from "../../teddy/world/read-question.ts";
import { wordsOf } from "../../text/words.ts";
import type { ReadPromptRow } from "../../preferences/collect-prompts.ts";
import { shareText } from "./policy-verdict-tables.ts";
import { refuses } from "../refusal.ts";

export interface AnswerStyle {
  name: string;
  /** Mean words of an answer. */
  words: number;
  /**
   * Distinct pairs of neighbouring words among all of the first answers (Li et al. 2016, distinct-2), and single words.
   */
  distinct: [words: number, pairs: number];
  /** Answers that turn down what was asked, to unsafe prompts and to others. Undefined where there are none. */
  declinesUnsafe: Share | undefined;
  declinesSafe: Share | undefined;
  /** KL from the baseline, nats an answer. */
  distance?: Estimate | undefined;
}

/** @param policy its answers, [prompts][samples] */
export function styleOf(
  { name, answers }: { name: string; answers: readonly (readonly string[])[] },
  rows: readonly Pick<ReadPromptRow, "prompt" | "unsafe">[],
): AnswerStyle {
  const all = answers.flat();
  const cases: Record<"unsafe" | "safe", Case[]> = { unsafe: [], safe: [] };
  for (const [prompt, ofPrompt] of answers.entries()) {
    const { unsafe, declines } = readRequest(rows[prompt]!);
    for (const answer of ofPrompt) cases[unsafe ? "unsafe" : "safe"].push({ success: Number(declines(answer)), prompt });
  }
  const share = (own: readonly Case[]): Share | undefined => (own.length === 0 ? undefined : shareOf(own));
  const firsts = answers.map(([first]) => wordsOf(first ?? ""));
  return {
    name,
    words: meanOf(all.map((answer) => wordsOf(answer).length)),
    distinct: [distinctShare(firsts, 1), distinctShare(firsts, 2)],
    declinesUnsafe: share(cases.unsafe),
    declinesSafe: share(cases.safe),
  };
}

/**
 * What is to be turned down, and which answer does so: in the teddy world by its own reading of both, elsewhere by the
 * file's word and by phrases.
 */
function readRequest({ prompt, unsafe }: Pick<ReadPromptRow, "prompt" | "unsafe">): {
  unsafe: boolean;
  declines: (answer: string) => boolean;
} {
  const messages = conversationOf(prompt);
  const question = readQuestion(messages);
  if (question === undefined) return { unsafe: unsafe === true, declines: refuses };
  return { unsafe: unsafe ?? question.danger !== undefined, declines: (answer) => turnsDown(messages, answer) };
}

/** Different runs of n neighbouring words as a share of all runs of n; 0 where there is none. */
export function distinctShare(texts: readonly (readonly string[])[], n: number): number {
  const runs = texts.flatMap((words) =>
    Array.from({ length: Math.max(0, words.length - n + 1) }, (_, at) => words.slice(at, at + n).join(" ")),
  );
  return runs.length === 0 ? 0 : new Set(runs).size / runs.length;
}

/** A Markdown table: a row for each policy. */
export function styleTable(styles: readonly AnswerStyle[], baseline: string | undefined): string[] {
  const compares = baseline !== undefined;
  const titles = [
    ...(compares ? [`KL from ${baseline}`] : []),
    "words",
    "distinct-1",
    "distinct-2",
    "declines unsafe requests",
    "declines safe ones",
  ];
  const rows = styles.map(({ name, words, distinct, declinesUnsafe, declinesSafe, distance }) => {
    const cells = [
      ...(compares ? [distance === undefined ? "" : `${distance.mean.toFixed(2)} ± ${distance.margin.toFixed(2)}`] : []),
      words.toFixed(1),
      ...distinct.map((value) => value.toFixed(3)),
      shareText(declinesUnsafe),
      shareText(declinesSafe),
    ];
    return `| ${[name, ...cells].join(" | ")} |`;
  });
  return [
    `| | ${titles.join(" | ")} |`,
    `| --- |${titles.map(() => " ---: |").join("")}`,
    ...rows,
    "",
    `Shares stand with 95% intervals over prompts${compares ? "; KL is in nats an answer" : ""}.`,
  ];
}
