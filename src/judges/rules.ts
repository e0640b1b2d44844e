/**
 * @file Judges that are rules: nearness to references, length, form and a list of words. Each is a score that anyone
 * can recompute by hand.
 */

import { wordsOf } from "../text/words.ts";
import { sentenceBleu } from "./bleu.ts";
import { judgeByScore, type Judge } from "./judges.ts";
import { rougeL } from "./rouge-l.ts";

/** BLEU against the prompt's references, in [0, 100]; no opinion where it has none. */
export function judgeByBleu(equalBelow = 0): Judge {
  return judgeByReferences("bleu", sentenceBleu, equalBelow);
}

/** ROUGE-L against the prompt's references, in [0, 1]; no opinion where it has none. */
export function judgeByRougeL(equalBelow = 0): Judge {
  return judgeByReferences("rouge-l", rougeL, equalBelow);
}

function judgeByReferences(name: string, nearness: (answer: string, references: readonly string[]) => number, equalBelow: number): Judge {
  const score: Judge["score"] = async ({ answers, references }, answer) =>
    references.length === 0 ? undefined : { score: nearness(answers[answer]!, references) };
  return judgeByScore(name, score, equalBelow);
}

/**
 * Longer is better, or, with a target, nearer to so many words. Words are what a reader counts: letters and digits
 * without a break.
 */
export function judgeByLength(target?: number, equalBelow = 0): Judge {
  const score = (answer: string): number => {
    const words = wordsOf(answer).length;
    return target === undefined ? words : -Math.abs(words - target);
  };
  return judgeByScore("length", async ({ answers }, answer) => ({ score: score(answers[answer]!) }), equalBelow);
}

/** What an answer of good form has: each is one point. */
const formChecks: readonly ((answer: string) => boolean)[] = [
  (answer) => answer.trim() !== "",
  // It was not cut in the middle of a sentence.
  (answer) => /[.!?…。！？:)\]"'”’`|]\s*$/.test(answer),
  (answer) => /^\s*(?!\p{Ll})/u.test(answer),
  (answer) => answer.split("```").length % 2 === 1,
  (answer) => (["()", "[]", "{}"] as const).every(([open, close]) => answer.split(open!).length === answer.split(close!).length),
  (answer) => {
    const lines = answer.split("\n").filter((line) => line.trim() !== "");
    return new Set(lines).size === lines.length;
  },
];

/** How much of good form an answer has, in [0, 1]; with a pattern, whether it matches that and nothing else. */
export function judgeByFormat(pattern?: RegExp, equalBelow = 0): Judge {
  const score = (answer: string): number => {
    if (pattern !== undefined) return pattern.test(answer) ? 1 : 0;
    return formChecks.filter((check) => check(answer)).length / formChecks.length;
  };
  return judgeByScore("format", async ({ answers }, answer) => ({ score: score(answers[answer]!) }), equalBelow);
}

/**
 * The weights of an answer's words, added up, for each of its words. @param weights by word or words in lower case,
 * such as "thank you"
 */
export function judgeByLexicon(weights: ReadonlyMap<string, number>, equalBelow = 0): Judge {
  const phrases = [...weights].map(([phrase, weight]) => ({ words: ` ${wordsOf(phrase).join(" ")} `, weight }));
  const score = (answer: string): number => {
    const words = wordsOf(answer);
    // Two blanks between words, so that one that ends a phrase may begin the next.
    const text = ` ${words.join("  ")} `;
    const sum = phrases.reduce(
      (total, { words: phrase, weight }) => total + weight * (text.split(phrase.replaceAll(/\b \b/g, "  ")).length - 1),
      0,
    );
    return words.length === 0 ? 0 : sum / words.length;
  };
  return judgeByScore("lexicon", async ({ answers }, answer) => ({ score: score(answers[answer]!) }), equalBelow);
}

/** Prefers a rewrite to its original, since it was meant to be better. Without a rewrite it has no opinion. */
export function judgeByRewriting(): Judge {
  return judgeByScore("rewrite", async ({ origins }, answer) => {
    if (!origins.includes("rewrite")) return undefined;
    return { score: origins[answer] === "rewrite" ? 1 : 0 };
  });
}
