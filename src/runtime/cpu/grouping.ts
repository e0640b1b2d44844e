/** @file Which rows decode together: a choice of speed only, since no row's numbers depend on its company. */

/** From this many sequences on, sharing one prompt's cache is worth a run of their own: fewer copy the prompt and join the others. */
export const sharingRows = 4;

/**
 * Rows are padded to the longest prompt of their cohort, so short prompts do not travel with long ones: a class spans a factor of four,
 * and its number grows with the length.
 */
export function cohortClass(promptTokens: number): number {
  return Math.max(0, Math.ceil(Math.log2(Math.max(1, promptTokens) / 256) / 2));
}
