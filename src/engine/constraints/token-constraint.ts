/** @file Which tokens an answer may have: the interface of grammars, and of the state that each sequence has in one. */

/** What all answers of a request must follow, compiled once for the request. */
export interface Grammar {
  /** Whether it is compiled. A sequence takes no step before that. */
  readonly isReady: boolean;
  /** Resolves when the grammar is compiled or disposed of. Rejects where it cannot be compiled. */
  readonly ready: Promise<void>;
  /** The state of one sequence, at the beginning of its answer. The grammar must be ready. */
  open(): TokenConstraint;
  /** Stops compiling. */
  dispose(): void;
}

/** The state of one sequence in its grammar. */
export interface TokenConstraint {
  /** Nothing may follow, and the answer ends. */
  readonly isComplete: boolean;
  /** The tokens that may come next, as token-mask.ts says, [ceil(V / 32)]. Valid until the next `accept`. */
  mask(): Uint32Array;
  /** Takes a token that `mask` allows, and that does not end the answer. */
  accept(tokenId: number): void;
  dispose(): void;
}
