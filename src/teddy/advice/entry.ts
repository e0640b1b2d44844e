/** @file One piece of advice: how it is said, and by which words it is recognised. */

export interface Advice {
  /** Templates of an imperative clause in lower case, without its full stop: `dab the {stain} with …`. */
  say: readonly string[];
  /** Clauses that may follow "because". */
  why: readonly string[];
  /**
   * Any of these patterns shows the advice: all of a pattern's words stand in one clause, `a/b` being one of several.
   * Words are compared by stem. The first is what is done, and what a negation before it takes back.
   */
  keys: readonly string[];
}
