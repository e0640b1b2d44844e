/** @file Encodes a stretch of text that has no added tokens in it: into words, and words into ids. */

import { LRUCache } from "lru-cache";
import type { TokenizerFiles } from "../../formats/model-file.ts";
import { sliceCharacters, type Sliced } from "../slices.ts";
import { BpeEncoder } from "./bpe-encoder.ts";
import { loadPart } from "./hugging-face.ts";
import { compilePreTokenizer, type PreTokenizer } from "./pre-tokenizer.ts";
import type { BpeModel, TokenizerJson } from "./tokenizer-json.ts";

/** Appends the ids of a normalised text to `output`. `isFirst`: the text begins the whole input. */
export type SegmentEncoder = (text: string, isFirst: boolean, output: number[]) => Sliced<void>;

/** Words repeat, so their ids are kept: bounded in number and length to some 2 MB. */
const cachedWordCount = 8192;
const maxCachedWordLength = 32;

/** @throws BonsaiError `invalid_tokenizer`, naming the field. */
export function createSegmentEncoder(files: TokenizerFiles, json: TokenizerJson): SegmentEncoder {
  const preTokenizer = compilePreTokenizer(json.preTokenizer);
  if (json.model.type === "BPE") return bpeSegmentEncoder(json.model, preTokenizer);

  const vocab = json.model.vocab;
  const { model } = loadPart("model", files.tokenizerJson["model"], "model", { eos_token: files.tokenizerConfig["eos_token"] });
  // The library takes all words at once: an unknown one may fuse with its neighbours.
  return function* encodeWords(text, isFirst, output) {
    const words = Array.from(preTokenizer.split(text, isFirst));
    for (const token of model(words)) {
      const id = vocab.get(token) ?? model.unk_token_id;
      if (id !== undefined) output.push(id);
    }
    yield text.length;
  };
}

function bpeSegmentEncoder(model: BpeModel, preTokenizer: PreTokenizer): SegmentEncoder {
  const encoder = new BpeEncoder(model, preTokenizer.byteLevel);
  const cache = new LRUCache<string, number[]>({ max: cachedWordCount });
  const encodeWord = (word: string, output: number[]): void => {
    if (word.length > maxCachedWordLength) return encoder.encodeWord(word, output);
    let ids = cache.get(word);
    if (ids === undefined) {
      ids = [];
      encoder.encodeWord(word, ids);
      cache.set(word, ids);
    }
    for (const id of ids) output.push(id);
  };
  const cutAtMarkers = !preTokenizer.byteLevel && canCutAtMarkers(model);
  return function* encodeWords(text, isFirst, output) {
    let characters = 0;
    const words = preTokenizer.split(text, isFirst);
    for (const word of cutAtMarkers ? cutWordsAtMarkers(words) : words) {
      encodeWord(word, output);
      characters += word.length;
      if (characters < sliceCharacters) continue;
      yield characters;
      characters = 0;
    }
    if (characters > 0) yield characters;
  };
}

/**
 * SentencePiece-style models take a whole text as one word. Where no merge joins a token to a following `▁`, a cut
 * before each run of them changes nothing and makes words that repeat.
 */
function canCutAtMarkers(model: BpeModel): boolean {
  const hasAffixes = model.continuingSubwordPrefix !== "" || model.endOfWordSuffix !== "";
  return !model.mergesCrossWords && !model.ignoreMerges && !hasAffixes && model.vocab.has("▁");
}

/** Words cut before each run of `▁` but at their starts. */
function* cutWordsAtMarkers(words: Iterable<string>): Generator<string> {
  for (const word of words) {
    let start = 0;
    for (let index = word.indexOf("▁", 1); index > 0; index = word.indexOf("▁", index + 1)) {
      if (word[index - 1] === "▁") continue;
      yield word.slice(start, index);
      start = index;
    }
    if (start < word.length) yield word.slice(start);
  }
}
