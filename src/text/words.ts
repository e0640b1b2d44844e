/** @file Cuts a text into sentences and words, for judges and metrics. */

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
