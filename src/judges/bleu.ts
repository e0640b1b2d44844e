/**
 * @file BLEU of one answer against references (Papineni, Roukos, Ward and Zhu 2002), as sacrebleu's `sentence_bleu`
 * computes it (Post 2018): tokens by mteval-v13a, exponential smoothing, effective order.
 */

const mostWords = 4;

/** The tokenizer of mteval-v13a, as sacrebleu has it. */
export function tokenize13a(text: string): string[] {
  const line = text.trimEnd().replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
  const unescaped = line.replaceAll("&quot;", '"').replaceAll("&amp;", "&").replaceAll("&lt;", "<").replaceAll("&gt;", ">");
  return ` ${unescaped} `
    .replaceAll(/([{-~[-` -&(-+:-@/])/g, " $1 ")
    .replaceAll(/([^0-9])([.,])/g, "$1 $2 ")
    .replaceAll(/([.,])([^0-9])/g, " $1 $2")
    .replaceAll(/([0-9])(-)/g, "$1 $2 ")
    .split(/\s+/)
    .filter((token) => token !== "");
}

/**
 * @param references at least one; a word run counts as often as the reference with most of it has it.
 * @returns in [0, 100]; 0 where the answer shares no word with any.
 */
export function sentenceBleu(answer: string, references: readonly string[]): number {
  const words = tokenize13a(answer);
  const referenceWords = references.map(tokenize13a);
  const counts = Array.from({ length: mostWords }, (_, at) => countMatches(words, referenceWords, at + 1));
  if (counts.every(({ matched }) => matched === 0)) return 0;
  const lengths = referenceWords.map((reference) => reference.length).toSorted((a, b) => a - b);
  const reference = lengths.reduce((best, length) => (Math.abs(length - words.length) < Math.abs(best - words.length) ? length : best));
  const brevity = words.length >= reference ? 1 : Math.exp(1 - reference / words.length);
  // Effective order: runs longer than the answer are no part of the mean.
  const orders = counts.filter(({ total }) => total > 0);
  let smoothing = 1;
  let logSum = 0;
  for (const { matched, total } of orders) {
    if (matched === 0) smoothing *= 2;
    logSum += Math.log(matched === 0 ? 100 / (smoothing * total) : (100 * matched) / total);
  }
  return brevity * Math.exp(logSum / orders.length);
}

/** Runs of `order` words of the answer, and those that a reference has, each no more often than there. */
function countMatches(words: readonly string[], references: readonly string[][], order: number): { matched: number; total: number } {
  const most = new Map<string, number>();
  for (const reference of references) {
    for (const [run, count] of countRuns(reference, order)) most.set(run, Math.max(most.get(run) ?? 0, count));
  }
  const runs = countRuns(words, order);
  const matched = [...runs].reduce((sum, [run, count]) => sum + Math.min(count, most.get(run) ?? 0), 0);
  return { matched, total: Math.max(0, words.length - order + 1) };
}

function countRuns(words: readonly string[], order: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let at = 0; at + order <= words.length; at++) {
    const run = words.slice(at, at + order).join(" ");
    counts.set(run, (counts.get(run) ?? 0) + 1);
  }
  return counts;
}
