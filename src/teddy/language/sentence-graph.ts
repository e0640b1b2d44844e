/**
 * @file A graph of all sentences that some templates can make, and the fewest words to insert, leave out or replace
 * that turn a sentence into one of them (Levenshtein's distance to a regular language; Wagner 1974), by a search in
 * order of cost.
 */

import { parseTemplate, type TemplateNode } from "./template.ts";
import { wordsOf } from "../../text/words.ts";

/** Words that may stand for a slot. */
export type SlotWords = Readonly<Record<string, readonly string[]>>;

const anyEdge = -1;

export class SentenceGraph {
  readonly #slots: SlotWords;
  readonly #wordIds = new Map<string, number>();
  /** For each node its edges as word and target, alternately; the word of an edge without one is `anyEdge`. */
  readonly #edges: number[][] = [];
  readonly start: number;
  readonly end: number;

  constructor(slots: SlotWords) {
    this.#slots = slots;
    this.start = this.addNode();
    this.end = this.addNode();
  }

  get size(): number {
    return this.#edges.length;
  }

  addNode(): number {
    return this.#edges.push([]) - 1;
  }

  /** Lets any of the templates lead from one node to another. */
  addTemplates(from: number, to: number, templates: readonly string[]): void {
    for (const template of templates) this.#addTree(from, to, parseTemplate(template));
  }

  /** An edge that needs no word. */
  connect(from: number, to: number): void {
    this.#edges[from]!.push(anyEdge, to);
  }

  #addTree(from: number, to: number, tree: TemplateNode): void {
    switch (tree.kind) {
      case "text":
        this.#addWords(from, to, wordsOf(tree.text));
        return;
      case "slot":
        for (const word of this.#slots[tree.slot.charAt(0).toLowerCase() + tree.slot.slice(1)] ?? [])
          this.#addWords(from, to, wordsOf(word));
        return;
      case "choice":
        for (const choice of tree.choices) this.#addTree(from, to, choice);
        return;
      case "sequence": {
        let at = from;
        for (const [index, part] of tree.parts.entries()) {
          const next = index === tree.parts.length - 1 ? to : this.addNode();
          this.#addTree(at, next, part);
          at = next;
        }
        if (tree.parts.length === 0) this.connect(from, to);
      }
    }
  }

  #addWords(from: number, to: number, words: readonly string[]): void {
    let at = from;
    for (const [index, word] of words.entries()) {
      const next = index === words.length - 1 ? to : this.addNode();
      this.#edges[at]!.push(this.#idOf(word), next);
      at = next;
    }
    if (words.length === 0) this.connect(from, to);
  }

  #idOf(word: string): number {
    let id = this.#wordIds.get(word);
    if (id === undefined) this.#wordIds.set(word, (id = this.#wordIds.size));
    return id;
  }

  /**
   * The fewest edits that make the words a sentence of the graph.
   *
   * @param limit costs above it are not told apart.
   * @returns the distance, or `limit + 1` where it is larger than the limit.
   */
  distance(words: readonly string[], limit: number): number {
    const ids = words.map((word) => this.#wordIds.get(word) ?? -2);
    const nodes = this.#edges.length;
    const seen = new Uint8Array(nodes * (ids.length + 1));
    let level: number[] = [this.start];
    for (let cost = 0; cost <= limit; cost++) {
      const next: number[] = [];
      for (let state = level.pop(); state !== undefined; state = level.pop()) {
        if (seen[state] === 1) continue;
        seen[state] = 1;
        const position = Math.floor(state / nodes);
        const node = state - position * nodes;
        const isLast = position === ids.length;
        if (isLast && node === this.end) return cost;
        const edges = this.#edges[node]!;
        for (let index = 0; index < edges.length; index += 2) {
          const word = edges[index]!;
          const target = position * nodes + edges[index + 1]!;
          if (word === anyEdge) level.push(target);
          else {
            if (!isLast && word === ids[position]) level.push(target + nodes);
            else if (!isLast && seen[target + nodes] === 0) next.push(target + nodes);
            if (seen[target] === 0) next.push(target);
          }
        }
        if (!isLast) next.push(state + nodes);
      }
      level = next;
    }
    return limit + 1;
  }
}
