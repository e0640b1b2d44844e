/**
 * @file What each token means as bytes: the decoder of tokenizer.json, compiled so that tokens can be decoded one by
 * one.
 */

import { bytesOfAlphabet } from "./byte-alphabet.ts";
import { invalidTokenizer, optionalBoolean, requireObject, type JsonObject } from "./tokenizer-fields.ts";
import { checkGrowth, maxDecodedBytes, stepsOf } from "./tokenizer-limits.ts";
import type { AddedToken } from "./tokenizer-json.ts";

/** How a token's string becomes bytes, and what is taken off the front of the whole text. */
interface DecoderRule {
  bytesOf: (token: string) => Uint8Array<ArrayBuffer>;
  /** The first token's, where it differs. */
  bytesOfFirst?: (token: string) => Uint8Array<ArrayBuffer>;
  leadingStrip: { character: string; count: number };
  /** Added tokens follow the rule too, rather than being their own text. */
  appliesToAdded?: boolean;
}

const utf8 = new TextEncoder();
const noStrip = { character: "", count: 0 };
const noBytes = new Uint8Array(0);
const byteToken = /^<0x([0-9A-F]{2})>$/i;

/**
 * Supported are ByteLevel, Metaspace, WordPiece, no decoder (tokens joined by spaces), and SentencePiece's chain of
 * Replace, ByteFallback, Fuse and Strip in any part. In all of them a text's bytes are its tokens' bytes in a row, but
 * for the front of the text.
 */
export class TokenDecoder {
  /** Length of the longest token. */
  readonly maxTokenBytes: number;
  /** At most `count` of this character are stripped from the front of the text. */
  readonly leadingStrip: { character: string; count: number };
  readonly #rule: DecoderRule;
  readonly #tokens: readonly (string | undefined)[];
  readonly #added: ReadonlyMap<number, AddedToken>;
  /** All tokens' bytes in order of id; token i is from `#offsets[i]` to `#offsets[i + 1]`. */
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #offsets: Uint32Array;

  constructor(tokens: readonly (string | undefined)[], added: ReadonlyMap<number, AddedToken>, json: JsonObject | null) {
    this.#tokens = tokens;
    this.#added = added;
    this.#rule = compileDecoder(json);
    this.leadingStrip = this.#rule.leadingStrip;
    const all = Array.from(tokens, (token, id) => (token === undefined ? noBytes : this.#encode(id, token, this.#rule.bytesOf)));
    this.#offsets = new Uint32Array(all.length + 1);
    let longest = 0;
    for (const [id, bytes] of all.entries()) {
      this.#offsets[id + 1] = this.#offsets[id]! + bytes.length;
      longest = Math.max(longest, bytes.length);
      if (this.#offsets[id + 1]! > maxDecodedBytes)
        throw invalidTokenizer("decoder", `makes more than ${maxDecodedBytes} bytes of the vocabulary`);
    }
    this.maxTokenBytes = longest;
    this.#bytes = new Uint8Array(this.#offsets[all.length]!);
    for (const [id, bytes] of all.entries()) this.#bytes.set(bytes, this.#offsets[id]);
  }

  hasToken(id: number): boolean {
    return this.#tokens[id] !== undefined;
  }

  isSpecial(id: number): boolean {
    return this.#added.get(id)?.special ?? false;
  }

  /** The token's bytes inside a text; empty for an id without a token. A view: not to be written to. */
  tokenBytes(id: number): Uint8Array<ArrayBuffer> {
    return this.hasToken(id) ? this.#bytes.subarray(this.#offsets[id], this.#offsets[id + 1]) : noBytes;
  }

  /** The token's bytes as the first of a text, before `leadingStrip`. */
  firstTokenBytes(id: number): Uint8Array<ArrayBuffer> {
    const token = this.#tokens[id];
    if (token === undefined || this.#rule.bytesOfFirst === undefined) return this.tokenBytes(id);
    return this.#encode(id, token, this.#rule.bytesOfFirst);
  }

  #encode(id: number, token: string, bytesOf: (token: string) => Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    return this.#added.has(id) && this.#rule.appliesToAdded !== true ? utf8.encode(token) : bytesOf(token);
  }
}

function compileDecoder(json: JsonObject | null): DecoderRule {
  switch (json?.["type"]) {
    case undefined:
      return joinedBySpaces((token) => ` ${token}`);
    case "ByteLevel":
      return { bytesOf: (token) => bytesOfAlphabet(token) ?? utf8.encode(token), leadingStrip: noStrip };
    case "WordPiece":
      return joinedBySpaces(wordPieceText(json));
    default:
      return compileChain(json!);
  }
}

/**
 * Tokens joined by spaces: `textOf` gives a token with the space before it, if any, which the first token goes without.
 */
function joinedBySpaces(textOf: (token: string) => string): DecoderRule {
  return {
    bytesOf: (token) => utf8.encode(textOf(token)),
    bytesOfFirst: (token) => utf8.encode(token),
    leadingStrip: noStrip,
    appliesToAdded: true,
  };
}

/**
 * WordPiece glues on what begins with the prefix. Its `cleanup` of English is left out: it is no function of single
 * tokens.
 */
function wordPieceText(json: JsonObject): (token: string) => string {
  const prefix = typeof json["prefix"] === "string" ? json["prefix"] : "##";
  return (token) => (token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`);
}

/** SentencePiece's chain: each step works on tokens until Fuse, on the whole text after it. */
function compileChain(json: JsonObject): DecoderRule {
  const steps = stepsOf(json, "decoders", "decoder");
  const replacements: [from: string, to: string][] = [];
  let byteFallback = false;
  let fused = false;
  let firstWordMarker: string | undefined;
  let leadingStrip = noStrip;
  for (const [index, [step, field]] of steps.entries()) {
    const type = step["type"];
    if (type === "Replace" && !fused) {
      replacements.push([requireStringPattern(step, field), typeof step["content"] === "string" ? step["content"] : ""]);
    } else if (type === "ByteFallback" && !fused) {
      byteFallback = true;
    } else if (type === "Fuse") {
      fused = true;
    } else if (type === "Strip" && (fused || index === steps.length - 1)) {
      leadingStrip = readStrip(step, field, fused);
    } else if (type === "Metaspace" && !fused) {
      const marker = typeof step["replacement"] === "string" ? step["replacement"] : "▁";
      const never = step["prepend_scheme"] === "never" || optionalBoolean(step["add_prefix_space"], `${field}.add_prefix_space`) === false;
      if (!never) firstWordMarker = marker;
      replacements.push([marker, " "]);
    } else {
      throw invalidTokenizer(
        field,
        `is a step (${JSON.stringify(type)}) that cannot be decoded token by token here; supported are ByteLevel, Metaspace, WordPiece, and Replace, ByteFallback, Fuse, Strip in this order`,
      );
    }
  }
  const bytesOf = (token: string): Uint8Array<ArrayBuffer> => {
    const byte = byteFallback ? byteToken.exec(token)?.[1] : undefined;
    if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16));
    return utf8.encode(
      replacements.reduce(
        (text, [from, to]) =>
          checkGrowth(
            text.replaceAll(from, () => to),
            token,
            "decoder",
          ),
        token,
      ),
    );
  };
  const marker = firstWordMarker;
  if (marker === undefined) return { bytesOf, leadingStrip };
  return { bytesOf, bytesOfFirst: (token) => bytesOf(token.replaceAll(marker, "")), leadingStrip };
}

function requireStringPattern(step: JsonObject, field: string): string {
  const pattern = requireObject(step["pattern"], `${field}.pattern`)["String"];
  if (typeof pattern !== "string" || pattern === "") throw invalidTokenizer(`${field}.pattern`, "must have a string as its `String`");
  return pattern;
}

function readStrip(step: JsonObject, field: string, fused: boolean): { character: string; count: number } {
  const { content, start, stop } = step;
  if (typeof content !== "string" || content.length !== 1) throw invalidTokenizer(`${field}.content`, "must be one character");
  if (typeof start !== "number" || !Number.isInteger(start) || start < 0)
    throw invalidTokenizer(`${field}.start`, "must be a whole number");
  if (!fused && start > 0) throw invalidTokenizer(field, "strips every token; supported is Strip after Fuse, which strips the text");
  if (stop !== 0) throw invalidTokenizer(`${field}.stop`, "must be 0: the end of a text is not known while it streams");
  return { character: content, count: start };
}
