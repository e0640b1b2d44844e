/**
 * @file Pairs of neighbouring tokens by how often they occur, with the words that hold them: the queue of the BPE
 * trainer.
 */

interface PairEntry {
  left: number;
  right: number;
  count: number;
  /** Indices of words that hold the pair, or did. */
  words: Set<number>;
}

/** Ids are below 2^22, so a pair is exact in a double. */
const idSpan = 2 ** 22;

/**
 * A binary heap whose entries may be out of date: a count that rose was pushed again, one that fell is seen when its
 * entry comes up and is pushed again with what it is now.
 */
export class PairQueue {
  readonly #entries = new Map<number, PairEntry>();
  /** Count at the time of pushing, and the pair. */
  readonly #heap: { count: number; key: number }[] = [];

  /**
   * Adds to the count of a pair. A negative `count` takes away; the word stays listed, since it may hold the pair
   * elsewhere.
   */
  add(left: number, right: number, count: number, word: number): void {
    const key = left * idSpan + right;
    let entry = this.#entries.get(key);
    if (entry === undefined) this.#entries.set(key, (entry = { left, right, count: 0, words: new Set() }));
    entry.count += count;
    if (count > 0) {
      entry.words.add(word);
      this.#push(entry.count, key);
    }
  }

  /**
   * Takes out the pair with the highest count, of equals the one with the lowest ids, left before right; undefined when
   * none is left.
   */
  takeMostFrequent(): PairEntry | undefined {
    for (let top = this.#pop(); top !== undefined; top = this.#pop()) {
      const entry = this.#entries.get(top.key);
      if (entry === undefined || entry.count <= 0) continue;
      if (entry.count === top.count) {
        this.#entries.delete(top.key);
        return entry;
      }
      // A count that rose has a newer entry, which has come up before this one; one that fell takes its place further
      // down.
      if (entry.count < top.count) this.#push(entry.count, top.key);
    }
    return undefined;
  }

  #push(count: number, key: number): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push({ count, key });
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!precedes({ count, key }, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = { count, key };
  }

  #pop(): { count: number; key: number } | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && precedes(heap[child + 1]!, heap[child]!)) child++;
      if (!precedes(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}

function precedes(a: { count: number; key: number }, b: { count: number; key: number }): boolean {
  return a.count > b.count || (a.count === b.count && a.key < b.key);
}
