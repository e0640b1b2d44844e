/** @file Long work on a text in slices, so that whoever runs it can do something else between two of them. */

/** Yields after each slice how many characters it took, and returns the result. */
export type Sliced<Result> = Generator<number, Result, void>;

/** A slice takes about so many characters: some milliseconds of tokenising. */
export const sliceCharacters = 4096;

/** Tokenising stops after the slice that reaches so many characters: some milliseconds, as long as a decode step. */
export const charactersOfStep = 2 * sliceCharacters;

/** The result of the work, all its slices in a row. */
export function runSlices<Result>(work: Sliced<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
