/** @file The bears' names. None is a word of the questions or answers, so that a name is known wherever it stands. */

const masculineNames =
  "Otto Bruno Barnaby Fergus Rupert Winston Albert Gustav Humphrey Monty Alfie Benno Casper Digby Edmund Felix Gilbert Horace Ignatz Jasper Kasimir Leopold Magnus Norbert Orson Percy Quentin Rufus Sebastian Theodore Ulrich Valentin Wilbur Xaver Yorick Zacharias Archie Bertram Cuthbert Dexter Ernest Fitz Hugo Ivo Jonty Ludo";
const feminineNames =
  "Martha Tilly Agatha Beatrix Clementine Dora Edith Flora Greta Hetty Ida Josephine Kitty Lotte Mabel Nelly Olive Petunia Queenie Rosalind Sophie Tabitha Ursula Viola Wilma Yvette Zelda Annabel Bettina Cordelia Dulcie Elsie";
const heldOutMasculineNames = "Oskar Balthazar Clarence Mortimer Pascal Anselm";
const heldOutFeminineNames = "Matilda Henrietta Philippa Eudora";

export interface Pronouns {
  he: string;
  him: string;
  his: string;
  himself: string;
}

const masculine: Pronouns = { he: "he", him: "him", his: "his", himself: "himself" };
const feminine: Pronouns = { he: "she", him: "her", his: "her", himself: "herself" };

export const trainingNames: readonly string[] = [...masculineNames.split(" "), ...feminineNames.split(" ")];
/** Names that no training text holds. */
export const heldOutNames: readonly string[] = [...heldOutMasculineNames.split(" "), ...heldOutFeminineNames.split(" ")];

const heldOut = new Set(heldOutNames);
const female = new Set([...feminineNames.split(" "), ...heldOutFeminineNames.split(" ")]);
const byLowerCase = new Map([...trainingNames, ...heldOutNames].map((name) => [name.toLowerCase(), name]));

/** The name that a word is, in whatever case, or undefined. */
export function nameOf(word: string): string | undefined {
  return byLowerCase.get(word.toLowerCase());
}

export function isHeldOutName(name: string): boolean {
  return heldOut.has(name);
}

/** The pronouns of a bear. An invented name that ends in "a" is female. */
export function pronounsOf(name: string): Pronouns {
  return female.has(name) || (nameOf(name) === undefined && name.endsWith("a")) ? feminine : masculine;
}
