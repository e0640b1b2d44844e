/**
 * @file Preferences that a tiny model learns in seconds: which animal makes which sound, and which answer is the
 * shorter.
 */

const sounds: Readonly<Record<string, string>> = { cat: "meow", dog: "woof", cow: "moo", duck: "quack", owl: "hoot", pig: "oink" };
const questions = ["what says the ", "say "];

interface PairRow {
  prompt: { role: "user"; content: string }[];
  chosen: string;
  rejected: string;
}

/** Every animal and question with its own sound against each other one. */
export function soundPairs(): PairRow[] {
  const rows: PairRow[] = [];
  for (const [animal, sound] of Object.entries(sounds)) {
    for (const question of questions) {
      for (const other of Object.values(sounds).filter((wrong) => wrong !== sound))
        rows.push({ prompt: [{ role: "user", content: question + animal }], chosen: sound, rejected: other });
    }
  }
  return rows;
}

/** The same with what is said of two dimensions: being right, and being short, on which many tie. */
export function soundPairsByDimension(): (PairRow & { preferences: { right: number; short: number } })[] {
  return soundPairs().map((row) => ({
    ...row,
    preferences: { right: 1, short: Math.sign(row.rejected.length - row.chosen.length) },
  }));
}

/**
 * All sounds for each animal and question: the own one first, then those that are no longer than it, and the others.
 */
export function soundLists(): { prompt: { role: "user"; content: string }[]; completions: string[]; ranks: number[] }[] {
  return Object.entries(sounds).flatMap(([animal, sound]) =>
    questions.map((question) => {
      const completions = Object.values(sounds);
      const ranks = completions.map((one) => (one === sound ? 1 : one.length <= sound.length ? 2 : 3));
      return { prompt: [{ role: "user" as const, content: question + animal }], completions, ranks };
    }),
  );
}
