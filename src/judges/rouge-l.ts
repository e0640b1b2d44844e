/**
 * @file ROUGE-L (Lin 2004, section 3): the F-measure of the longest common subsequence of words, as Google's
 * rouge-score computes it without stemming.
 */

/**
 * Words in lower case. rouge-score knows ASCII letters and digits alone; here those of all scripts count, so that other
 * languages have words.
 */
function rougeWords(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/**
 * @param references at least one; the best of them counts.
 * @returns in [0, 1].
 */
export function rougeL(answer: string, references: readonly string[]): number {
  const words = rougeWords(answer);
  const scores = references.map((text) => {
    const reference = rougeWords(text);
    if (words.length === 0 || reference.length === 0) return 0;
    const common = longestCommonSubsequence(words, reference);
    const [precision, recall] = [common / words.length, common / reference.length];
    return common === 0 ? 0 : (2 * precision * recall) / (precision + recall);
  });
  return Math.max(...scores);
}

/** Its length; time is the product of both lengths, memory the second one's. */
function longestCommonSubsequence(first: readonly string[], second: readonly string[]): number {
  let row = new Uint32Array(second.length + 1);
  for (const word of first) {
    const next = new Uint32Array(second.length + 1);
    for (let at = 0; at < second.length; at++) next[at + 1] = word === second[at] ? row[at]! + 1 : Math.max(row[at + 1]!, next[at]!);
    row = next;
  }
  return row.at(-1)!;
}
