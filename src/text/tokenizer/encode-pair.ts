/**
 * @file Two texts as one row of an encoder: the special tokens around them, which text each token belongs to, and what
 * is cut when they are too long.
 */

import type { TokenizerFiles } from "../../formats/model-file.ts";
import { readPairTemplate, type PairPiece } from "./pair-template.ts";
import { invalidTokenizer } from "./tokenizer-fields.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface EncodedPair {
  ids: number[];
  /** For each id, which text it belongs to. */
  types: number[];
  /** Tokens of the texts that were left out to keep to the length. */
  cutTokens: number;
}

/**
 * Encodes pairs as Hugging Face's tokenizers do, but for control tokens written in a text (`[SEP]`), which are the
 * plain text that they are: an answer cannot end itself and begin another. An empty text leaves its special tokens;
 * transformers leaves out an empty second text.
 */
export class PairEncoder {
  /** Special tokens around the two texts. */
  readonly specialTokens: number;
  readonly #tokenizer: Tokenizer;
  readonly #template: readonly PairPiece[];

  /** @throws BonsaiError `invalid_tokenizer` where tokenizer.json does not say how two texts are put together. */
  constructor(tokenizer: Tokenizer, files: Pick<TokenizerFiles, "tokenizerJson">) {
    this.#tokenizer = tokenizer;
    this.#template = readPairTemplate(files.tokenizerJson, (token) => tokenizer.idOf(token));
    this.specialTokens = this.#template.reduce((count, piece) => count + ("ids" in piece ? piece.ids.length : 0), 0);
  }

  /**
   * @param maxTokens of the row, special tokens included; by default nothing is cut. What is too long loses tokens at
   * its end, the longer text first until both are as long (`longest_first` of transformers).
   * @throws BonsaiError `invalid_tokenizer` when not even the special tokens fit
   */
  encode(first: string, second: string, maxTokens = Infinity): EncodedPair {
    return this.join(this.encodeText(first), this.encodeText(second), maxTokens);
  }

  /** The pair of two texts that were encoded each alone, as `encode` has it. */
  join(first: readonly number[], second: readonly number[], maxTokens = Infinity): EncodedPair {
    const room = maxTokens - this.specialTokens;
    if (room < 0)
      throw invalidTokenizer("post_processor", `puts ${this.specialTokens} tokens around two texts, more than the ${maxTokens} allowed`);
    const [firstLength, secondLength] = longestFirst(first.length, second.length, room);
    const cutTokens = first.length + second.length - firstLength - secondLength;
    const texts = { first: first.slice(0, firstLength), second: second.slice(0, secondLength) };
    const pair: EncodedPair = { ids: [], types: [], cutTokens };
    for (const piece of this.#template) {
      for (const id of "ids" in piece ? piece.ids : texts[piece.text]) {
        pair.ids.push(id);
        pair.types.push(piece.type);
      }
    }
    return pair;
  }

  /** Ids of one text, without special tokens. */
  encodeText(text: string): number[] {
    // An offset disarms a control token when it lies within it or at its end: just past each token's beginning.
    const literalOffsets = this.#tokenizer.controlTokenOffsets(text).map((offset) => offset + 1);
    return this.#tokenizer.encode(text, { addSpecialTokens: false, literalOffsets });
  }
}

/**
 * Lengths of two texts that together keep to `room`, as tokenizers' TruncationStrategy::LongestFirst has them: the
 * longer one is cut to what the other leaves, or both to a half.
 */
function longestFirst(first: number, second: number, room: number): [first: number, second: number] {
  if (first + second <= room) return [first, second];
  const shorter = Math.min(first, second);
  const half = Math.floor(room / 2);
  // Where the room is odd, the longer text gets the token that is left over.
  const [kept, cut] = shorter <= half ? [shorter, room - shorter] : [half, room - half];
  return first > second ? [cut, kept] : [kept, cut];
}
