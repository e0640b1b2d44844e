/** @file Words to token ids by a BPE model: bytes or characters become symbols, then symbols merge. */

import { byteToCharacter } from "./byte-alphabet.ts";
import { PairMerger } from "./bpe.ts";
import { MergeTable } from "./merge-table.ts";
import type { BpeModel } from "./tokenizer-json.ts";

const utf8 = new TextEncoder();

export class BpeEncoder {
  readonly #model: Omit<BpeModel, "merges">;
  readonly #merger: PairMerger;
  readonly #byteLevel: boolean;
  /**
   * Id of each byte's own token: of the byte alphabet for byte-level models, `<0xNN>` for others; -1 where there is
   * none.
   */
  readonly #byteIds: Int32Array;
  readonly #hasAffixes: boolean;

  /** @param byteLevel whether words are encoded as their UTF-8 bytes. */
  constructor(model: BpeModel, byteLevel: boolean) {
    const { merges, ...rest } = model;
    this.#model = rest;
    const mergeCount = merges.length / 3;
    const table = new MergeTable(mergeCount);
    for (let rank = 0; rank < mergeCount; rank++) {
      table.set(merges[3 * rank]!, merges[3 * rank + 1]!, rank, merges[3 * rank + 2]!);
    }
    this.#merger = new PairMerger(table);
    this.#byteLevel = byteLevel;
    const byteToken = (byte: number): string =>
      byteLevel ? byteToCharacter[byte]! : `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    this.#byteIds = Int32Array.from({ length: 256 }, (_, byte) => model.vocab.get(byteToken(byte)) ?? -1);
    this.#hasAffixes = model.continuingSubwordPrefix !== "" || model.endOfWordSuffix !== "";
  }

  /** Appends the ids of one word to `output`. */
  encodeWord(word: string, output: number[]): void {
    if (!this.#byteLevel) return this.#encodeCharacters(word, output);
    const bytes = utf8.encode(word);
    if (!this.#model.ignoreMerges && !this.#hasAffixes) {
      const symbols = new Int32Array(bytes.length);
      let allKnown = true;
      for (let index = 0; index < bytes.length; index++) {
        const id = this.#byteIds[bytes[index]!]!;
        symbols[index] = id;
        allKnown &&= id >= 0;
      }
      if (allKnown) return this.#merger.merge(symbols, output);
    }
    this.#encodeCharacters(Array.from(bytes, (byte) => byteToCharacter[byte]!).join(""), output);
  }

  /**
   * Symbols as in `BPE::merge_word` of Hugging Face's tokenizers: a character that has no token becomes its bytes'
   * tokens, or the unknown token (one for a run of them when fused), or nothing.
   */
  #encodeCharacters(word: string, output: number[]): void {
    const { vocab, ignoreMerges, unknownId, fuseUnknown, continuingSubwordPrefix, endOfWordSuffix } = this.#model;
    const whole = ignoreMerges ? vocab.get(word) : undefined;
    if (whole !== undefined) {
      output.push(whole);
      return;
    }
    const symbols: number[] = [];
    let pendingUnknown = false;
    let offset = 0;
    for (const character of word) {
      const prefix = offset > 0 ? continuingSubwordPrefix : "";
      offset += character.length;
      const id = vocab.get(prefix + character + (offset === word.length ? endOfWordSuffix : ""));
      if (id !== undefined) {
        if (pendingUnknown) symbols.push(unknownId!);
        pendingUnknown = false;
        symbols.push(id);
        continue;
      }
      if (this.#pushBytes(prefix + character, symbols)) continue;
      if (unknownId === undefined) continue;
      if (pendingUnknown && !fuseUnknown) symbols.push(unknownId);
      pendingUnknown = true;
    }
    if (pendingUnknown) symbols.push(unknownId!);
    this.#merger.merge(Int32Array.from(symbols), output);
  }

  /** Falls back to `<0xNN>` tokens, if the model does and has them all. */
  #pushBytes(text: string, symbols: number[]): boolean {
    if (!this.#model.byteFallback || this.#byteLevel) return false;
    const ids = Array.from(utf8.encode(text), (byte) => this.#byteIds[byte]!);
    if (ids.includes(-1)) return false;
    for (const id of ids) symbols.push(id);
    return true;
  }
}
