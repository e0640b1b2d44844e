/** @file A tiny task that a tiny model learns in seconds: which animal makes which sound. */

import { writeFileSync } from "node:fs";

const sounds: Readonly<Record<string, string>> = { cat: "meow", dog: "woof", cow: "moo", duck: "quack", owl: "hoot", pig: "oink" };
const questions = ["what says the ", "say ", "sound of "];

export interface SoundRow {
  messages: { role: "user" | "assistant"; content: string }[];
}

/** Every animal with every question, `times` over. */
export function soundRows(times: number): SoundRow[] {
  const all = Object.entries(sounds).flatMap(([animal, sound]) =>
    questions.map((question): SoundRow => ({
      messages: [
        { role: "user", content: question + animal },
        { role: "assistant", content: sound },
      ],
    })),
  );
  return Array.from({ length: times }, () => all).flat();
}

export function writeJsonLines(path: string, rows: readonly object[]): string {
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}
