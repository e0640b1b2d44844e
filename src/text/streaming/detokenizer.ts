/**
 * @file Turns tokens into text one by one: whole characters only, and together exactly the text of the whole sequence.
 */

import type { TokenDecoder } from "../tokenizer/token-decoder.ts";

export interface DetokenizerOptions {
  /** Leave out tokens such as end-of-sequence. Default true. */
  skipSpecialTokens?: boolean | undefined;
  /**
   * Whether the text of the first token begins the text. SentencePiece-style decoders drop the space before the first
   * word of a text; a continuation of a prompt keeps it. Default true. Without effect on byte-level tokenizers.
   */
  atSequenceStart?: boolean | undefined;
}

/**
 * One sequence's text as it grows. `push(id)` gives the characters that this token completes, which may be none (a
 * token can end inside a character) or several; `flush()` gives U+FFFD for bytes that never became a character. Bytes
 * that are no UTF-8 become U+FFFD by the WHATWG Encoding Standard's decoder, as `decode` of the whole does. An id that
 * is not in the vocabulary (models pad theirs) has no text.
 *
 * Made by `tokenizer.detokenizer(options)`.
 */
export class Detokenizer {
  readonly #decoder: TokenDecoder;
  readonly #skipSpecialTokens: boolean;
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  /** No token has been decoded yet, so the next one is the sequence's first. */
  #isFirstToken: boolean;
  /** Leading characters that the decoder still strips from the text. */
  #leadingToStrip: number;

  constructor(decoder: TokenDecoder, options: DetokenizerOptions = {}) {
    this.#decoder = decoder;
    this.#skipSpecialTokens = options.skipSpecialTokens ?? true;
    const atStart = options.atSequenceStart ?? true;
    this.#isFirstToken = atStart;
    this.#leadingToStrip = atStart ? decoder.leadingStrip.count : 0;
  }

  push(id: number): string {
    if (this.#skipSpecialTokens && this.#decoder.isSpecial(id)) return "";
    const bytes = this.#isFirstToken ? this.#decoder.firstTokenBytes(id) : this.#decoder.tokenBytes(id);
    if (this.#decoder.hasToken(id)) this.#isFirstToken = false;
    return this.#strip(this.#utf8.decode(bytes, { stream: true }));
  }

  /** The sequence has ended: the held-back bytes, if any, as U+FFFD. The detokenizer can then be dropped. */
  flush(): string {
    return this.#strip(this.#utf8.decode());
  }

  #strip(text: string): string {
    if (this.#leadingToStrip === 0 || text === "") return text;
    let start = 0;
    while (start < text.length && start < this.#leadingToStrip && text[start] === this.#decoder.leadingStrip.character) start++;
    this.#leadingToStrip = start === text.length ? this.#leadingToStrip - start : 0;
    return text.slice(start);
  }
}
