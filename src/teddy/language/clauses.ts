/** @file Cuts a sentence into clauses and words into stems, for the judge of the teddy world. */

import { wordsOf } from "../../text/words.ts";

/** Words that end a clause's hold on what was negated before it. "and" and "or" do not: what follows is negated too. */
const clauseBreak = /[,;:()–—]|\b(?:but|because|since|instead|rather|just|so that)\b/;

export interface Clause {
  words: string[];
  stems: string[];
  /** The word or mark that separates it from the clause before; empty for the first. */
  opener: string;
}

/** Whether a clause gives the reason for the one before it. */
export function isReason({ opener, words }: Clause): boolean {
  return ["because", "since", ":"].includes(opener) || words[0] === "for";
}

/** The clauses of a sentence. */
export function clausesOf(sentence: string): Clause[] {
  const clauses: Clause[] = [];
  // "anything but" negates instead of beginning a clause; and the adjective of "hard part" is not the adverb "hard".
  let rest = sentence.toLowerCase().replaceAll("’", "'").replaceAll("anything but ", "not ").replaceAll("hard part", "hard-part");
  let opener = "";
  while (rest !== "") {
    const cut = clauseBreak.exec(rest);
    const words = wordsOf(cut === null ? rest : rest.slice(0, cut.index));
    if (words.length > 0) clauses.push({ words, stems: words.map(stem), opener });
    if (cut === null) break;
    if (words.length > 0 || opener === "" || !/\w/.test(opener)) opener = cut[0];
    rest = rest.slice(cut.index + cut[0].length);
  }
  return clauses;
}

const irregular: Readonly<Record<string, string>> = {
  shook: "shak", shaken: "shak", took: "tak", taken: "tak", gave: "giv", given: "giv", kept: "keep", hung: "hang", laid: "lay", lain: "lay",
  began: "begin", begun: "begin", sewn: "sew", drew: "draw", drawn: "draw", told: "tell", said: "say", made: "mak", found: "find", left: "leav",
  brought: "bring", sang: "sing", sung: "sing", chose: "choos", chosen: "choos", stood: "stand", sat: "sit", wrung: "wring", held: "hold",
  // The noun is not the verb.
  feelings: "feelings",
}; // prettier-ignore

/** A word without the endings of English inflection. Crude, and applied to both sides of every comparison. */
export function stem(word: string): string {
  const known = irregular[word];
  if (known !== undefined) return known;
  let root = word.replace(/'s$|s'$/, "");
  if (root.length > 3) {
    if (root.endsWith("ies") || root.endsWith("ied")) root = `${root.slice(0, -3)}y`;
    else if (/(?:s|x|z|ch|sh)es$/.test(root)) root = root.slice(0, -2);
    else if (/[^s]s$/.test(root) && !root.endsWith("us") && !root.endsWith("is")) root = root.slice(0, -1);
  }
  if (root.length > 4 && /[aeiouy].*(?:ing|ed)$/.test(root)) {
    root = root.replace(/(?:ing|ed)$/, "").replace(/([bdgmnprt])\1$/, "$1");
  }
  return root.length > 3 ? root.replace(/e$/, "") : root;
}
