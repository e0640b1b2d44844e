/**
 * @file Finds the first of several stop strings in a text that arrives in pieces, holding back no more than must be.
 */

import { BonsaiError } from "../../errors/bonsai-error.ts";

interface Node {
  /** Characters from the root: the length of the longest suffix of the text that begins some stop string. */
  depth: number;
  /** Length of the longest stop string that ends here; 0 for none. */
  matchLength: number;
  children: Map<string, Node>;
  /** The node of the longest proper suffix that begins some stop string; the root's is itself. */
  failure: Node;
}

export interface StopResult {
  /** Text that can be shown: certain to lie before any stop string. */
  emit: string;
  /** True from the hit on; nothing is emitted after it. */
  stopped: boolean;
}

/**
 * A streaming matcher over an Aho-Corasick automaton (Aho & Corasick 1975): linear in the text whatever the stop
 * strings.
 *
 * The cut is at the earliest start of any stop string in the whole text, however the text was cut into pieces. So when
 * a stop string is complete while a longer one that began before it may still complete, the matcher waits for the
 * outcome. A stop string with half a surrogate pair at either end never matches, since it would cut a character in two.
 */
export class StopStrings {
  readonly #root: Node;
  #node: Node;
  /** Text not yet emitted. It begins at offset `#heldFrom` of the whole text. */
  #held = "";
  #heldFrom = 0;
  /** Offset in the whole text of the next character. */
  #position = 0;
  /** Offset of the earliest complete stop string so far. */
  #hit: number | undefined;
  #stopped = false;

  /** @throws BonsaiError `invalid_request` (param `stop`) for an empty stop string, which would match everywhere. */
  constructor(stops: readonly string[]) {
    if (stops.includes("")) throw new BonsaiError("invalid_request", "`stop` must not contain an empty string.", { param: "stop" });
    this.#root = buildAutomaton(stops.filter((stop) => !/^\p{Surrogate}|\p{Surrogate}$/u.test(stop)));
    this.#node = this.#root;
  }

  /** Takes the next piece of text, of any length, and says what of the text so far can be shown now. */
  push(text: string): StopResult {
    if (this.#stopped) return { emit: "", stopped: true };
    if (this.#root.children.size === 0) return { emit: text, stopped: false };
    this.#held += text;
    for (let index = 0; index < text.length; index++) {
      this.#node = step(this.#node, text[index]!);
      this.#position++;
      if (this.#node.matchLength > 0) this.#hit = Math.min(this.#hit ?? Infinity, this.#position - this.#node.matchLength);
      if (this.#hit !== undefined && this.#position - this.#node.depth >= this.#hit) return this.#stop(this.#hit);
    }
    return { emit: this.#release(this.#position - this.#node.depth), stopped: false };
  }

  /** The text has ended: emits what was held back, up to a stop string that was waiting for a longer one. */
  flush(): StopResult {
    if (this.#stopped) return { emit: "", stopped: true };
    if (this.#hit !== undefined) return this.#stop(this.#hit);
    return { emit: this.#release(this.#position), stopped: false };
  }

  #stop(offset: number): StopResult {
    const emit = this.#release(offset);
    this.#stopped = true;
    this.#held = "";
    return { emit, stopped: true };
  }

  /** Hands out the held text before an offset of the whole text. */
  #release(offset: number): string {
    const emit = this.#held.slice(0, offset - this.#heldFrom);
    this.#held = this.#held.slice(offset - this.#heldFrom);
    this.#heldFrom = offset;
    return emit;
  }
}

function step(from: Node, character: string): Node {
  for (let node = from; ; node = node.failure) {
    const child = node.children.get(character);
    if (child !== undefined) return child;
    if (node.depth === 0) return node;
  }
}

function newNode(depth: number, failure: Node | undefined): Node {
  const node: Partial<Node> = { depth, matchLength: 0, children: new Map() };
  node.failure = failure ?? (node as Node);
  return node as Node;
}

function buildAutomaton(stops: readonly string[]): Node {
  const root = newNode(0, undefined);
  for (const stop of stops) {
    let node = root;
    for (let index = 0; index < stop.length; index++) {
      let child = node.children.get(stop[index]!);
      if (child === undefined) node.children.set(stop[index]!, (child = newNode(node.depth + 1, root)));
      node = child;
    }
    node.matchLength = stop.length;
  }
  // Breadth first, so that a node's failure is complete before its children's are sought.
  const queue = [root];
  for (const node of queue) {
    for (const [character, child] of node.children) {
      if (node !== root) child.failure = step(node.failure, character);
      if (child.matchLength === 0) child.matchLength = child.failure.matchLength;
      queue.push(child);
    }
  }
  return root;
}
