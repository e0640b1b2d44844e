/** @file Answers that are one of some given strings: a trie of their token ids. */

import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { Tokenizer } from "../../text/tokenizer/tokenizer.ts";
import type { Grammar, TokenConstraint } from "./token-constraint.ts";
import { allowToken, emptyMask } from "./token-mask.ts";

interface TrieNode {
  children: Map<number, TrieNode>;
  /** Whether a choice ends here. */
  isEnd: boolean;
}

/** Choices that are tokenised at once; then running answers take a step. */
const sliceLength = 64;

/**
 * A choice is written in the tokens that the tokenizer makes of its text alone, and in no others that spell the same.
 */
export class ChoiceGrammar implements Grammar {
  readonly ready: Promise<void>;
  readonly #root: TrieNode = { children: new Map(), isEnd: false };
  readonly #vocabSize: number;
  readonly #eosTokenIds: ReadonlySet<number>;
  #isReady = false;
  #isDisposed = false;

  /**
   * @param vocabSize of the model
   * @param eosTokenIds tokens that end an answer, for a choice that another one begins with
   * @throws BonsaiError `invalid_request` where there is no choice, or an empty one
   */
  constructor(tokenizer: Tokenizer, choices: readonly string[], vocabSize: number, eosTokenIds: ReadonlySet<number>) {
    if (choices.length === 0 || choices.includes(""))
      throw new BonsaiError("invalid_request", "An answer is chosen among strings that are not empty; at least one is needed.", {
        param: "choices",
      });
    this.#vocabSize = vocabSize;
    this.#eosTokenIds = eosTokenIds;
    this.ready = this.#compile(tokenizer, choices);
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  open(): TokenConstraint {
    return new ChoiceConstraint(this.#root, this.#vocabSize, this.#eosTokenIds);
  }

  dispose(): void {
    this.#isDisposed = true;
  }

  async #compile(tokenizer: Tokenizer, choices: readonly string[]): Promise<void> {
    for (let start = 0; start < choices.length; start += sliceLength) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#isDisposed) return;
      for (const choice of choices.slice(start, start + sliceLength)) this.#add(tokenizer.encode(choice, { addSpecialTokens: false }));
    }
    this.#isReady = true;
  }

  #add(ids: readonly number[]): void {
    let node = this.#root;
    for (const id of ids) {
      const child = node.children.get(id) ?? { children: new Map(), isEnd: false };
      node.children.set(id, child);
      node = child;
    }
    node.isEnd = true;
  }
}

class ChoiceConstraint implements TokenConstraint {
  readonly #mask: Uint32Array;
  readonly #eosTokenIds: ReadonlySet<number>;
  #node: TrieNode;

  constructor(root: TrieNode, vocabSize: number, eosTokenIds: ReadonlySet<number>) {
    this.#node = root;
    this.#mask = emptyMask(vocabSize);
    this.#eosTokenIds = eosTokenIds;
  }

  get isComplete(): boolean {
    return this.#node.isEnd && this.#node.children.size === 0;
  }

  mask(): Uint32Array {
    this.#mask.fill(0);
    for (const id of this.#node.children.keys()) allowToken(this.#mask, id);
    if (this.#node.isEnd) for (const id of this.#eosTokenIds) allowToken(this.#mask, id);
    return this.#mask;
  }

  accept(tokenId: number): void {
    const child = this.#node.children.get(tokenId);
    if (child === undefined) throw new BonsaiError("internal", `Token ${tokenId} was drawn, and no choice goes on with it.`);
    this.#node = child;
  }

  /** The trie belongs to the grammar: nothing is held here. */
  dispose(): void {}
}
