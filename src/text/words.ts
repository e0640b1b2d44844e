/** @file Texts as the judge sees them: sentences, clauses, words and stems. */

/** Words that end a clause's hold on what was negated before it. "and" and "or" do not: what follows is negated too. */
const clauseBreak = /[,;:()–—]|\b(?:but|because|since|instead|rather|just|so that)\b/;

/** Sentences without their final marks, empty ones left out. A line break ends a sentence. */
export function sentencesOf(text: string): string[] {
  return text
    .split(/[.!?…]+(?=\s|$|["')])|\n+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => /[\p{L}\p{N}]/u.test(sentence));
}

/** Words in lower case; apostrophes and hyphens inside a word belong to it. */
export function wordsOf(text: string): string[] {
  return (
    text
      .toLowerCase()
      .replaceAll("’", "'")
      .match(/[\p{L}\p{N}]+(?:['-][\p{L}\p{N}]+)*/gu) ?? []
  );
}

export interface Clause {
  words: string[];
  stems: string[];
  /** The word or mark that parts it from the clause before; empty for the first. */
  opener: string;
}

/** Whether a clause gives the reason for the one before it. */
export function isReason({ opener, words }: Clause): boolean {
  return ["because", "since", ":"].includes(opener) || words[0] === "for";
}

/** The clauses of a sentence. */
export function clausesOf(sentence: string): Clause[] {
  const clauses: Clause[] = [];
  // This "but" turns nothing, and nothing is done hard where the hard part is done.
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
