/** @file Finds added tokens such as `<|im_start|>` in a text, as Hugging Face's tokenizers do before anything else. */

import type { AddedToken } from "./tokenizer-json.ts";

interface TrieNode {
  children: Map<number, TrieNode>;
  token: AddedToken | undefined;
}

/** A stretch of text between added tokens, or an added token. */
export type Piece = { text: string; start: number } | { token: AddedToken };

const wordCharacter = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const whiteSpace = /^\p{White_Space}$/u;

/** Leftmost match first, the longest of those that begin there; time is linear in the text times the longest token. */
export class AddedTokenMatcher {
  readonly #root: TrieNode = { children: new Map(), token: undefined };

  /** @param entries what to look for (a token's content, normalised where it asks for that) and the token it stands for. */
  constructor(entries: Iterable<[content: string, token: AddedToken]>) {
    for (const [content, token] of entries) {
      let node = this.#root;
      for (let index = 0; index < content.length; index++) {
        const unit = content.charCodeAt(index);
        let child = node.children.get(unit);
        if (child === undefined) node.children.set(unit, (child = { children: new Map(), token: undefined }));
        node = child;
      }
      if (node !== this.#root) node.token = token;
    }
  }

  /** Cuts a text at its added tokens. `accept` may refuse an occurrence, which then is plain text. */
  split(text: string, accept: (token: AddedToken, start: number, end: number) => boolean = () => true): Piece[] {
    const pieces: Piece[] = [];
    let textStart = 0;
    let index = 0;
    while (index < text.length) {
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
      let from = index;
      let to = end;
      if (token.lstrip) while (from > textStart && whiteSpace.test(text[from - 1]!)) from--;
      if (token.rstrip) while (to < text.length && whiteSpace.test(text[to]!)) to++;
      if (from > textStart) pieces.push({ text: text.slice(textStart, from), start: textStart });
      pieces.push({ token });
      textStart = index = to;
    }
    if (textStart < text.length) pieces.push({ text: text.slice(textStart), start: textStart });
    return pieces;
  }

  /** Offsets at which some token occurs, overlapping ones included. */
  occurrences(text: string): number[] {
    const starts: number[] = [];
    for (let index = 0; index < text.length; index++) if (this.#longestAt(text, index) !== undefined) starts.push(index);
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
