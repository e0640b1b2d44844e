/**
 * @file Base-training texts, one document at a time: document i is a pure function of seed and i, so memory is bounded
 * by one document.
 */

import { genreMixture, genres } from "./genres.ts";
import { RandomStream } from "../../random/random-stream.ts";

/** Document number `index`, with its genre. */
export function corpusDocument(seed: number, index: number): { genre: string; text: string } {
  const stream = new RandomStream(seed, "corpus", index);
  const genre = stream.weighted(genreMixture);
  return { genre, text: genres[genre]!(stream) };
}

/** Documents until their texts add up to at least `characters`. */
export function* corpusTexts(seed: number, characters: number): Generator<string> {
  let written = 0;
  for (let index = 0; written < characters; index++) {
    const { text } = corpusDocument(seed, index);
    written += text.length;
    yield text;
  }
}
