/**
 * @file Several prompts that take a chunk each in one run of the graph: their caches side by side, their tokens, and
 * the mask over both.
 */

import { causalMask } from "../attention-mask.ts";
import type { PromptChunk } from "../device.ts";
import { int64Tensor, tensor, type Tensor } from "../session.ts";
import type { KvMemory } from "./kv-memory.ts";
import { KvSegment, roundUpPlaces } from "./kv-segment.ts";
import type { CpuPrompt } from "./prompt.ts";

/**
 * A chunk that is not full is run as if it had a multiple of this many tokens. Softmax adds in vector registers: only
 * rows of one length have their sums added in one order, so that is what runs together.
 */
const lengthStep = 16;

/** Caches are padded to the longest of a run: to no more than this times their own places, all together. */
const mostPadding = 2;

/** What a prompt takes while it is filled: its own cache, and its padded copy in the run's. */
export const heldWhileGathered = 1 + mostPadding;

/** Chunks that run together, by their indexes. */
export interface ChunkGroup {
  /** Tokens that each is run with: a function of the chunk alone. */
  length: number;
  indexes: number[];
}

export function groupChunks(chunks: readonly PromptChunk[]): ChunkGroup[] {
  const byLength = new Map<number, number[]>();
  chunks.forEach(({ ids }, index) => {
    const length = Math.ceil(ids.length / lengthStep) * lengthStep;
    byLength.set(length, [...(byLength.get(length) ?? []), index]);
  });
  const placesOf = (index: number): number => roundUpPlaces((chunks[index] as PromptChunk).prompt.length);
  return [...byLength].flatMap(([length, indexes]) => {
    const groups: number[][] = [];
    let own = 0;
    for (const index of indexes.toSorted((a, b) => placesOf(a) - placesOf(b))) {
      const group = groups.at(-1) ?? [];
      const places = placesOf(index);
      own += places;
      if (group.length > 0 && (group.length + 1) * places <= mostPadding * own) group.push(index);
      else {
        groups.push([index]);
        own = places;
      }
    }
    return groups.map((group) => ({ length, indexes: group }));
  });
}

export interface GroupShape {
  /** Query heads of each key/value head. */
  group: number;
  contextLength: number;
  /** Places of the answer's cache, which no token sees. */
  answerPlaces: number;
}

/** The caches of prompts as one segment, in arrays that are kept from run to run. */
export class PromptGatherer {
  readonly #memory: KvMemory;
  #scratch: KvSegment;

  constructor(memory: KvMemory) {
    this.#memory = memory;
    this.#scratch = new KvSegment(memory, 0);
  }

  /** A row for each prompt, all of the same places. One prompt is its own segment. */
  gather(prompts: readonly CpuPrompt[]): KvSegment {
    const [only] = prompts;
    if (prompts.length === 1 && only !== undefined) return only.segment;
    const places = prompts.reduce((most, { length }) => Math.max(most, roundUpPlaces(length)), 0);
    const needed = prompts.length * places;
    // Twice as much as was needed at most, so that arrays are not made anew for every run.
    if (this.#scratch.capacity < needed) {
      this.#scratch.release();
      this.#scratch = new KvSegment(this.#memory, 2 ** Math.ceil(Math.log2(needed)));
    }
    this.#scratch.reset(prompts.length, places);
    prompts.forEach(({ segment, length }, row) => this.#scratch.copyRow(segment, 0, row, length));
    return this.#scratch;
  }

  /** Says that the run is over: the arrays are kept only while memory is not short. */
  done(): void {
    this.#scratch.reset(0, 0);
  }
}

/**
 * The graph's inputs that say what is run: `length` tokens of each prompt, of which those past its chunk are read by
 * nobody.
 */
export function groupFeeds(
  chunks: readonly PromptChunk[],
  length: number,
  places: number,
  { group, contextLength, answerPlaces }: GroupShape,
): Record<string, Tensor> {
  const rows = chunks.length;
  const width = places + answerPlaces;
  const ids = new BigInt64Array(rows * length);
  const positions = new BigInt64Array(rows * length);
  const rowMask = group * length * (width + length);
  const mask = new Float32Array(rows * rowMask);
  chunks.forEach(({ prompt, ids: own }, row) => {
    own.forEach((id, at) => (ids[row * length + at] = BigInt(id)));
    // Positions past the context have no place in the tables; only padding could come to them.
    for (let at = 0; at < length; at++) positions[row * length + at] = BigInt(Math.min(prompt.length + at, contextLength - 1));
    mask.set(causalMask(length, group, width, prompt.length), row * rowMask);
  });
  return {
    ids: tensor("int64", ids, [rows, length]),
    positions: tensor("int64", positions, [rows, length]),
    mask: tensor("float32", mask, [rows, 1, group * length, width + length]),
    lengths: int64Tensor([places, answerPlaces, length], [3]),
    head_rows: int64Tensor(
      chunks.map(({ ids: own }, row) => row * length + own.length - 1),
      [rows],
    ),
  };
}
