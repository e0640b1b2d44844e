/** @file The similarity of two texts: the words and pairs of words that they share. */

/** A text's words and pairs of neighbouring words, counted. */
export interface TextProfile {
  words: ReadonlyMap<string, number>;
  wordCount: number;
  pairs: ReadonlyMap<string, number>;
  pairCount: number;
}

/** Runs of letters and digits; each character of scripts that write no spaces counts as a word. */
const wordPattern =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}])[\p{L}\p{N}])+/gu;

export function profileOf(text: string): TextProfile {
  const words = text.toLowerCase().match(wordPattern) ?? [];
  const pairs = words.slice(1).map((word, at) => `${words[at]} ${word}`);
  return { words: countsOf(words), wordCount: words.length, pairs: countsOf(pairs), pairCount: pairs.length };
}

function countsOf(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

/**
 * The mean of ROUGE-1 and ROUGE-2 as F-measures (Lin 2004, section 2): symmetric, 1 for the same words in the same
 * order, 0 for no word in common. Texts of one word, which have no pairs, are compared by words alone.
 */
export function similarity(one: TextProfile, other: TextProfile): number {
  const words = overlap(one.words, other.words, one.wordCount + other.wordCount);
  const pairs = one.pairCount + other.pairCount;
  return pairs === 0 ? words : (words + overlap(one.pairs, other.pairs, pairs)) / 2;
}

/** Twice the common count over the sum of both, which is the harmonic mean of precision and recall. */
function overlap(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>, total: number): number {
  if (total === 0) return 0;
  const [small, large] = one.size <= other.size ? [one, other] : [other, one];
  let common = 0;
  for (const [item, count] of small) common += Math.min(count, large.get(item) ?? 0);
  return (2 * common) / total;
}
