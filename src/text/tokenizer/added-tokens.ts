/** @file Finds added tokens such as `<|im_start|>` in a text, as Hugging Face's tokenizers do before anything else. */

import { sliceCharacters } from "../slices.ts";
import type { AddedToken } from "./tokenizer-json.ts";

interface TrieNode {
  children: Map<number, TrieNode>;
  token: AddedToken | undefined;
}

/**
 * A stretch of text between added tokens, or an added token: its own text begins at `start`, and what it swallows ends
 * at `end`.
 */
export type Piece = { text: string; start: number } | { token: AddedToken; start: number; end: number };

const wordCharacter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const whiteSpace = /^\p{White_Space}$/u;

/** Leftmost match first, the longest of those that begin there; time is linear in the text times the longest token. */
export class AddedTokenMatcher {
  /** Length of the longest content, in UTF-16 units. */
  readonly longest: number;
  readonly #root: TrieNode = { children: new Map(), token: undefined };
  /** The units that contents begin with: what is between them is skipped at once. */
  readonly #beginning: RegExp | undefined;

  /**
   * @param entries what to look for (a token's content, normalised where it asks for that) and the token it stands for.
   */
  constructor(entries: Iterable<[content: string, token: AddedToken]>) {
    let longest = 0;
    for (const [content, token] of entries) {
      let node = this.#root;
      longest = Math.max(longest, content.length);
      for (let index = 0; index < content.length; index++) {
        const unit = content.charCodeAt(index);
        let child = node.children.get(unit);
        if (child === undefined) node.children.set(unit, (child = { children: new Map(), token: undefined }));
        node = child;
      }
      if (node !== this.#root) node.token = token;
    }
    this.longest = longest;
    const units = [...this.#root.children.keys()].map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`);
    this.#beginning = units.length === 0 ? undefined : new RegExp(`[${units.join("")}]`, "g");
  }

  /**
   * Cuts a text at its added tokens, lazily. `accept` may refuse an occurrence, which then is plain text.
   * @param from where to begin: 0, or the end of an added token
   * @returns the pieces, with `undefined` between them where a slice of the text has none
   */
  *split(
    text: string,
    accept: (token: AddedToken, start: number, end: number) => boolean = () => true,
    from = 0,
  ): Generator<Piece | undefined, void> {
    let textStart = from;
    let index = from;
    let sliceEnd = from + sliceCharacters;
    while ((index = this.#nextBeginning(text, index)) < text.length) {
      if (index >= sliceEnd) {
        sliceEnd = index + sliceCharacters;
        yield undefined;
      }
      const match = this.#longestAt(text, index);
      if (match === undefined || !accept(match.token, index, match.end)) {
        index++;
        continue;
      }
      const { token, end } = match;
      if (token.singleWord && (isWordCharacter(lastCharacter(text, index)) || isWordCharacter(firstCharacter(text, end)))) {
        index = end;
        continue;
      }
      let textEnd = index;
      let to = end;
      if (token.lstrip) while (textEnd > textStart && whiteSpace.test(text[textEnd - 1]!)) textEnd--;
      if (token.rstrip) while (to < text.length && whiteSpace.test(text[to]!)) to++;
      if (textEnd > textStart) yield { text: text.slice(textStart, textEnd), start: textStart };
      yield { token, start: index, end: to };
      textStart = index = to;
    }
    if (textStart < text.length) yield { text: text.slice(textStart), start: textStart };
  }

  /** Where the next content may begin; the text's length for nowhere. */
  #nextBeginning(text: string, index: number): number {
    if (this.#beginning === undefined) return text.length;
    this.#beginning.lastIndex = index;
    return this.#beginning.exec(text)?.index ?? text.length;
  }

  /** Offsets at which some token occurs, overlapping ones included. */
  occurrences(text: string): number[] {
    const starts: number[] = [];
    for (let index = this.#nextBeginning(text, 0); index < text.length; index = this.#nextBeginning(text, index + 1))
      if (this.#longestAt(text, index) !== undefined) starts.push(index);
    return starts;
  }

  #longestAt(text: string, start: number): { token: AddedToken; end: number } | undefined {
    let node = this.#root.children.get(text.charCodeAt(start));
    let best: { token: AddedToken; end: number } | undefined;
    for (let index = start + 1; node !== undefined; index++) {
      if (node.token !== undefined) best = { token: node.token, end: index };
      node = index < text.length ? node.children.get(text.charCodeAt(index)) : undefined;
    }
    return best;
  }
}

function isWordCharacter(character: string): boolean {
  return wordCharacter.test(character);
}

function firstCharacter(text: string, offset: number): string {
  return offset < text.length ? String.fromCodePoint(text.codePointAt(offset)!) : "";
}

function lastCharacter(text: string, offset: number): string {
  return /.$/su.exec(text.slice(Math.max(0, offset - 2), offset))?.[0] ?? "";
}
