/** @file Tensors side by side in one array, so that the optimiser updates all of them in slices of one size. */

import type { TrainedWeight } from "../../architectures/training/trained-weights.ts";

/** Values to which each tensor is aligned: a cache line. */
const alignment = 16;

/** Places of tensors in arrays of one layout: weights, gradients and moments have one each. */
export class ArenaLayout {
  readonly #places = new Map<string, { offset: number; length: number }>();
  /** Length of an array of this layout, a multiple of `sliceLength`. */
  readonly length: number;
  readonly sliceLength: number;

  /** @param longestSlice values of a slice, unless all tensors together are shorter */
  constructor(tensors: readonly TrainedWeight[], longestSlice: number) {
    let offset = 0;
    for (const { name, shape } of tensors) {
      const length = shape.reduce((product, size) => product * size, 1);
      this.#places.set(name, { offset, length });
      offset += Math.ceil(length / alignment) * alignment;
    }
    this.sliceLength = Math.max(alignment, Math.min(longestSlice, offset));
    this.length = Math.ceil(offset / this.sliceLength) * this.sliceLength;
  }

  get slices(): number {
    return this.length / this.sliceLength;
  }

  allocate(): Float32Array<ArrayBuffer> {
    return new Float32Array(this.length);
  }

  /** The tensor's part of an array of this layout. */
  view(array: Float32Array<ArrayBuffer>, name: string): Float32Array<ArrayBuffer> {
    const { offset, length } = this.#places.get(name)!;
    return array.subarray(offset, offset + length);
  }

  slice(array: Float32Array<ArrayBuffer>, at: number): Float32Array<ArrayBuffer> {
    return array.subarray(at * this.sliceLength, (at + 1) * this.sliceLength);
  }
}
