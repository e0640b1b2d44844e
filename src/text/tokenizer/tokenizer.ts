/** @file Text to token ids and back, from a tokenizer.json, as Hugging Face's tokenizers do it. */

import type { TokenizerFiles } from "../../formats/model-file.ts";
import { commonPrefix, commonTextPrefix } from "../common-prefix.ts";
import { runSlices, sliceCharacters, type Sliced } from "../slices.ts";
import { AddedTokenMatcher } from "./added-tokens.ts";
import { Detokenizer, type DetokenizerOptions } from "../streaming/detokenizer.ts";
import { compileNormalizer, type Normalizer } from "./normalizer.ts";
import { createSegmentEncoder, type SegmentEncoder } from "./segment-encoder.ts";
import { TokenDecoder } from "./token-decoder.ts";
import { readTokenizerJson, type AddedToken } from "./tokenizer-json.ts";

export interface EncodeOptions {
  /**
   * Add what the tokenizer's post-processor puts around a text, such as `<s>`. Default true; false for rendered chat
   * templates.
   */
  addSpecialTokens?: boolean | undefined;
  /**
   * Offsets (ascending) in the text that no control token may cover: one that would is encoded as the plain text it is.
   * See encode-chat.ts.
   */
  literalOffsets?: readonly number[] | undefined;
}

/** A text's ids, and where another text that begins alike may go on from. */
export interface Encoding {
  text: string;
  ids: number[];
  literalOffsets: readonly number[];
  /**
   * Added tokens of the text, in order: where their own text begins, where what they swallow ends, and how many ids
   * there are until then.
   */
  addedTokens: readonly { start: number; end: number; idCount: number }[];
}

/**
 * Special tokens in a text are recognised (`<|im_end|>` becomes its one id), as Hugging Face does; what must not forge
 * them goes through `encodeChat`. Time is n log n in the text at most, whatever the text.
 */
export class Tokenizer {
  /** One more than the highest id; a model may have more rows than this. */
  readonly vocabSize: number;
  /**
   * Bytes of the longest token. A text of more than n times this many bytes has more than n tokens, unless it consists
   * of characters that the tokenizer drops or fuses into one unknown token: a limit to refuse hopeless prompts by
   * unseen.
   */
  readonly maxTokenBytes: number;
  readonly #decoder: TokenDecoder;
  readonly #vocab: ReadonlyMap<string, number>;
  readonly #addedIds: ReadonlyMap<string, number>;
  readonly #tokens: readonly (string | undefined)[];
  readonly #prefixIds: readonly number[];
  readonly #suffixIds: readonly number[];
  readonly #rawMatcher: AddedTokenMatcher;
  readonly #normalizedMatcher: AddedTokenMatcher | undefined;
  readonly #controlMatcher: AddedTokenMatcher;
  readonly #normalize: Normalizer | null;
  readonly #encodeSegment: SegmentEncoder;

  /** @throws BonsaiError `invalid_tokenizer`, naming the field of tokenizer.json. */
  constructor(files: TokenizerFiles) {
    const json = readTokenizerJson(files.tokenizerJson);
    const normalize = compileNormalizer(json.normalizer);
    this.#normalize = normalize;

    const added = new Map(json.addedTokens.map((token) => [token.id, token]));
    this.#vocab = json.model.vocab;
    this.#addedIds = new Map(json.addedTokens.map((token) => [token.content, token.id]));
    let highestId = -1;
    for (const id of this.#vocab.values()) highestId = Math.max(highestId, id);
    for (const id of added.keys()) highestId = Math.max(highestId, id);
    const tokens = Array.from<string | undefined>({ length: highestId + 1 });
    for (const [token, id] of json.model.vocab) tokens[id] = token;
    for (const token of json.addedTokens) tokens[token.id] = token.content;
    this.#tokens = tokens;
    this.#decoder = new TokenDecoder(tokens, added, json.decoder);
    this.vocabSize = tokens.length;
    this.maxTokenBytes = this.#decoder.maxTokenBytes;

    this.#prefixIds = json.prefixIds;
    this.#suffixIds = json.suffixIds;
    const sought = (token: AddedToken): [string, AddedToken] => [token.content, token];
    const isNormalized = (token: AddedToken): boolean => token.normalized && normalize !== null;
    this.#rawMatcher = new AddedTokenMatcher(json.addedTokens.filter((token) => !isNormalized(token)).map(sought));
    const normalized = json.addedTokens.filter(isNormalized);
    this.#normalizedMatcher =
      normalized.length === 0 ? undefined : new AddedTokenMatcher(normalized.map((token) => [normalize!(token.content), token]));
    this.#controlMatcher = new AddedTokenMatcher(json.addedTokens.filter(isControlToken).map(sought));
    this.#encodeSegment = createSegmentEncoder(files, json);
  }

  /** Token ids of a text. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    return runSlices(this.encodeInSlices(text, options)).ids;
  }

  /**
   * The same ids, in slices; only what a normalizer does and a word of any length are one slice.
   * @param before An encoding by the same options but for its literal offsets. What the texts have in common up to an
   * added token is not encoded again: nothing that stands behind an added token changes the ids before it.
   */
  *encodeInSlices(text: string, options: EncodeOptions = {}, before?: Encoding): Sliced<Encoding> {
    const addSpecialTokens = options.addSpecialTokens ?? true;
    const literal = options.literalOffsets ?? [];
    const shared = before === undefined ? [] : this.#sharedTokens(text, literal, before);
    const last = shared.at(-1);
    const ids = last === undefined ? (addSpecialTokens ? [...this.#prefixIds] : []) : before!.ids.slice(0, last.idCount);
    const addedTokens = [...shared];
    const accept = (token: AddedToken, start: number, end: number): boolean => !isControlToken(token) || !coversAny(literal, start, end);
    for (const piece of this.#rawMatcher.split(text, accept, last?.end)) {
      if (piece === undefined) yield sliceCharacters;
      else if ("token" in piece) {
        ids.push(piece.token.id);
        addedTokens.push({ start: piece.start, end: piece.end, idCount: ids.length });
      } else {
        const hasLiteral = coversAny(literal, piece.start, piece.start + piece.text.length);
        yield* this.#encodeRaw(piece.text, piece.start === 0, hasLiteral, ids);
      }
    }
    if (addSpecialTokens) for (const id of this.#suffixIds) ids.push(id);
    return { text, ids, literalOffsets: literal, addedTokens };
  }

  /** The added tokens at the beginning of an encoding that another text has too, whatever follows in either. */
  #sharedTokens(text: string, literal: readonly number[], before: Encoding): Encoding["addedTokens"] {
    const offsets = commonPrefix(literal, before.literalOffsets);
    const differingOffset = Math.min(literal[offsets] ?? Infinity, before.literalOffsets[offsets] ?? Infinity);
    const shared = commonTextPrefix(text, before.text);
    // A token is certain where the longest one that could begin there, and the character behind it, are shared too.
    const isCertain = ({ start, end }: { start: number; end: number }): boolean =>
      start + this.#rawMatcher.longest + 2 <= shared && end < shared && end < differingOffset;
    const uncertain = before.addedTokens.findIndex((token) => !isCertain(token));
    return uncertain < 0 ? before.addedTokens : before.addedTokens.slice(0, uncertain);
  }

  *#encodeRaw(text: string, isFirst: boolean, hasLiteral: boolean, output: number[]): Sliced<void> {
    const normalized = this.#normalize === null ? text : this.#normalize(text);
    if (normalized === "") return;
    if (this.#normalizedMatcher === undefined) {
      yield* this.#encodeSegment(normalized, isFirst, output);
      return;
    }
    // Normalising moves offsets, so here literal text anywhere in the piece disarms the piece's control tokens.
    for (const piece of this.#normalizedMatcher.split(normalized, (token) => !hasLiteral || !isControlToken(token))) {
      if (piece === undefined) yield sliceCharacters;
      else if ("token" in piece) output.push(piece.token.id);
      else yield* this.#encodeSegment(piece.text, isFirst && piece.start === 0, output);
    }
  }

  /** Text of a sequence of ids; ids without a token have none. */
  decode(ids: readonly number[], options: DetokenizerOptions = {}): string {
    const detokenizer = this.detokenizer(options);
    let text = "";
    for (const id of ids) text += detokenizer.push(id);
    return text + detokenizer.flush();
  }

  /** A decoder for one growing sequence. */
  detokenizer(options: DetokenizerOptions = {}): Detokenizer {
    return new Detokenizer(this.#decoder, options);
  }

  /**
   * The exact bytes of a token inside a text: a token can be part of a character. Added tokens are their own text in
   * UTF-8. Empty for an id that has no token. A view: not to be written to.
   */
  tokenBytes(id: number): Uint8Array<ArrayBuffer> {
    return this.#decoder.tokenBytes(id);
  }

  /** Whether a token is a control token that decoded text leaves out. */
  isSpecial(id: number): boolean {
    return this.#decoder.isSpecial(id);
  }

  /** Id of a token as tokenizer.json writes it, such as `<|im_end|>` or `Ġthe`. */
  idOf(token: string): number | undefined {
    return this.#addedIds.get(token) ?? this.#vocab.get(token);
  }

  /** A token as tokenizer.json writes it. */
  tokenOf(id: number): string | undefined {
    return this.#tokens[id];
  }

  /** Offsets at which a control token's text occurs, overlapping ones included. */
  controlTokenOffsets(text: string): number[] {
    return this.#controlMatcher.occurrences(text);
  }
}

/**
 * Tokens that structure a conversation and so must not come out of a message's text. Besides special tokens these are
 * tokens in the style of `<|user|>` and `<｜User｜>`, which some models list as ordinary added tokens.
 */
function isControlToken(token: AddedToken): boolean {
  return token.special || /^<[|｜].*[|｜]>$/su.test(token.content);
}

function coversAny(ascending: readonly number[], start: number, end: number): boolean {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= start) low = middle + 1;
    else high = middle;
  }
  return low < ascending.length && ascending[low]! <= end;
}
