/** @file Which rows decode together: a choice of speed only, since no row's numbers depend on its company. */

/**
 * From this many sequences on, sharing one prompt's cache is worth a run of their own: fewer copy the prompt and join
 * the others.
 */
export const sharingRows = 4;

/**
 * Rows are padded to the longest of their batch, so short ones do not travel with long ones: a class spans a factor of
 * four.
 */
const firstBound = 256;

/** The class of a row whose prompt and answer take at most this many places each. */
export function lengthClassOf(places: number): number {
  let lengthClass = 0;
  while (places > classBound(lengthClass)) lengthClass++;
  return lengthClass;
}

/** Most places of a prompt, or of an answer, in the class. */
export function classBound(lengthClass: number): number {
  return firstBound * 4 ** lengthClass;
}
