/**
 * @file BPE merges from a SentencePiece vocabulary and its scores, which is all that a GGUF keeps of such a tokenizer.
 */

interface Merge {
  left: string;
  right: string;
  score: number;
  leftLength: number;
  rightLength: number;
}

/**
 * Every way to put a piece together from two others, best score first. SentencePiece's BPE joins the neighbours whose
 * joint piece scores highest, which is BPE with merges in that order; equal scores go longer parts first, as
 * transformers' converter (`generate_merges` of tokenization_utils_sentencepiece) has them.
 * @param scores By piece. Pieces that are never built (control, unknown and byte tokens) must not be in it.
 */
export function mergesOfScores(scores: ReadonlyMap<string, number>): [left: string, right: string][] {
  const merges: Merge[] = [];
  for (const [piece, score] of scores) {
    const characters = Array.from(piece);
    let at = 0;
    for (let length = 1; length < characters.length; length++) {
      at += characters[length - 1]!.length;
      const left = piece.slice(0, at);
      const right = piece.slice(at);
      if (scores.has(left) && scores.has(right))
        merges.push({ left, right, score, leftLength: length, rightLength: characters.length - length });
    }
  }
  merges.sort((a, b) => b.score - a.score || b.leftLength - a.leftLength || b.rightLength - a.rightLength);
  return merges.map(({ left, right }) => [left, right]);
}
