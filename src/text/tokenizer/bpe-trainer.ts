/**
 * @file Trains a byte-level BPE (Sennrich et al. 2016, section 3.2) from counted words, with counts of pairs kept up to
 * date, as Hugging Face's trainer does it: the same texts give the same tokens in the same order.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import { addedToken, bpeModel } from "../../formats/bpe-tokenizer-json.ts";
import type { TokenizerFiles } from "../../formats/model-file.ts";
import { byteToCharacter } from "./byte-alphabet.ts";
import { PairQueue } from "./pair-queue.ts";
import { compilePreTokenizer } from "./pre-tokenizer.ts";

/**
 * GPT-2's end of a text. The trainers end documents and turns alike with the eos token, `<|im_end|>`, so no model of
 * ours has learnt this one.
 */
const endOfText = "<|endoftext|>";
const turnStart = "<|im_start|>";
const turnEnd = "<|im_end|>";
const padding = "<|pad|>";
const specialTokens = [endOfText, turnStart, turnEnd, padding] as const;

/** Digits one by one, other words by GPT-2's pattern. */
const preTokenizer = {
  type: "Sequence",
  pretokenizers: [
    { type: "Digits", individual_digits: true },
    { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  ],
};

/** ChatML: each turn between `<|im_start|>role\n` and `<|im_end|>\n`. */
const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Fewest tokens: the specials and one for each byte. */
export const smallestVocabSize = specialTokens.length + byteToCharacter.length;

/** Counts the words of texts, then trains. Memory grows with the number of distinct words, not with the texts. */
export class BpeTrainer {
  readonly #counts = new Map<string, number>();
  readonly #split = compilePreTokenizer(preTokenizer).split;

  addText(text: string): void {
    for (const word of this.#split(text, true)) this.#counts.set(word, (this.#counts.get(word) ?? 0) + 1);
  }

  /**
   * Merges the most frequent pair again and again, of equals that of the lowest ids.
   *
   * @param vocabSize tokens in all, specials and bytes included; fewer come out where no pair is left.
   * @param onProgress hears the number of tokens so far.
   * @returns a tokenizer with a ChatML template. Answers and documents alike end with its eos token, `<|im_end|>`.
   * @throws BonsaiError `invalid_tokenizer` for a vocabulary smaller than the bytes and specials.
   */
  train(vocabSize: number, onProgress: (tokens: number) => void = () => {}): TokenizerFiles {
    if (!Number.isInteger(vocabSize) || vocabSize < smallestVocabSize) {
      throw new BonsaiError(
        "invalid_tokenizer",
        `The vocabulary's size is ${vocabSize}; it must be an integer of at least ${smallestVocabSize}: ${specialTokens.length} special tokens and 256 bytes.`,
        { param: "vocabSize" },
      );
    }
    const tokens = [...specialTokens, ...byteToCharacter.toSorted()];
    const byteIds = byteToCharacter.map((character) => tokens.indexOf(character));
    const merges = this.#merge(tokens, byteIds, vocabSize, onProgress);
    return { tokenizerJson: tokenizerJson(tokens, merges), tokenizerConfig: tokenizerConfig(), chatTemplate };
  }

  /** Appends the merged tokens to `tokens` and returns the pairs they came from. */
  #merge(tokens: string[], byteIds: readonly number[], vocabSize: number, onProgress: (tokens: number) => void): [string, string][] {
    const encoder = new TextEncoder();
    const words: number[][] = [];
    const counts: number[] = [];
    const pairs = new PairQueue();
    for (const [word, count] of this.#counts) {
      const ids = Array.from(encoder.encode(word), (byte) => byteIds[byte]!);
      for (let at = 1; at < ids.length; at++) pairs.add(ids[at - 1]!, ids[at]!, count, words.length);
      words.push(ids);
      counts.push(count);
    }
    const ids = new Map(tokens.map((token, id) => [token, id]));
    const merges: [string, string][] = [];
    while (tokens.length < vocabSize) {
      const best = pairs.takeMostFrequent();
      if (best === undefined) break;
      const { left, right, words: places } = best;
      const token = tokens[left]! + tokens[right]!;
      // Two merges may make one token, as "a" with "bc" and "ab" with "c".
      const merged = ids.get(token) ?? tokens.push(token) - 1;
      ids.set(token, merged);
      merges.push([tokens[left]!, tokens[right]!]);
      for (const place of places) mergeInWord(words[place]!, left, right, merged, counts[place]!, place, pairs);
      onProgress(tokens.length);
    }
    return merges;
  }
}

/** Replaces a pair in one word, from left to right, and moves the counts of its neighbours to the new token. */
function mergeInWord(ids: number[], left: number, right: number, merged: number, count: number, place: number, pairs: PairQueue): void {
  for (let at = 0; at + 1 < ids.length; at++) {
    if (ids[at] !== left || ids[at + 1] !== right) continue;
    if (at > 0) {
      pairs.add(ids[at - 1]!, left, -count, place);
      pairs.add(ids[at - 1]!, merged, count, place);
    }
    if (at + 2 < ids.length) {
      pairs.add(right, ids[at + 2]!, -count, place);
      pairs.add(merged, ids[at + 2]!, count, place);
    }
    ids.splice(at, 2, merged);
  }
}

/**
 * The serialisation of Hugging Face's tokenizers, which the Rust, Python and JavaScript libraries and this project read
 * alike.
 */
function tokenizerJson(tokens: readonly string[], merges: readonly [string, string][]): Record<string, unknown> {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => addedToken(id, content, true)),
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: bpeModel({ vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges }),
  };
}

function tokenizerConfig(): Record<string, unknown> {
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    bos_token: null,
    eos_token: turnEnd,
    pad_token: padding,
    unk_token: null,
    chat_template: chatTemplate,
  };
}
