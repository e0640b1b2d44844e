/** @file Preferences to evaluate scores with: every answer once, and how answers to one prompt compare. */

import type { Message } from "../../text/conversation/message.ts";
import type { Preference } from "../../judges/judges.ts";

export interface EvaluatedAnswer {
  /** The place of its prompt. */
  prompt: number;
  text: string;
}

/** Two answers, by their places, of which the first was preferred. */
export interface Comparison {
  prompt: number;
  chosen: number;
  rejected: number;
  /** Preferences by dimension: 1 where the chosen answer is better in it, too. */
  preferences: Readonly<Record<string, Preference>>;
}

/** Four answers to a prompt, of which one is better than the three others. */
export interface GroupOfFour {
  prompt: number;
  best: number;
  others: readonly number[];
}

export interface EvaluationSet {
  name: string;
  prompts: readonly (readonly Message[])[];
  answers: readonly EvaluatedAnswer[];
  comparisons: readonly Comparison[];
  groups: readonly GroupOfFour[];
}

/** Scores of one model for each answer of a set, in order. */
export interface AnswerScores {
  name: string;
  /** Score of each answer as a whole: more is better. */
  whole: Float64Array;
  /** Scores by dimension, for the dimensions that the model tells apart. */
  dimensions: ReadonlyMap<string, Float64Array>;
  /** Whether differences of `whole` are logits of preference, which only a trained model's are. */
  isLogit: boolean;
}

/** Gathers rows into a set. */
export class EvaluationSetBuilder {
  readonly #name: string;
  readonly #prompts: (readonly Message[])[] = [];
  readonly #answers: EvaluatedAnswer[] = [];
  readonly #places = new Map<string, number>();
  readonly #comparisons: Comparison[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Takes a row: a pair, or a list of answers.
   * @param ranks one for each answer, 1 the best; every two of different rank are a comparison
   * @param preferences of a pair, seen from its better answer
   */
  add(prompt: readonly Message[], texts: readonly string[], ranks: readonly number[], preferences: Comparison["preferences"] = {}): void {
    const promptPlace = this.#placeOf(JSON.stringify(prompt), this.#prompts, () => prompt);
    const places = texts.map((text) =>
      this.#placeOf(JSON.stringify([promptPlace, text]), this.#answers, () => ({ prompt: promptPlace, text })),
    );
    for (const [first, one] of places.entries()) {
      for (const [second, other] of places.entries()) {
        if (ranks[first]! < ranks[second]! && one !== other)
          this.#comparisons.push({ prompt: promptPlace, chosen: one, rejected: other, preferences });
      }
    }
  }

  build(): EvaluationSet {
    return {
      name: this.#name,
      prompts: this.#prompts,
      answers: this.#answers,
      comparisons: this.#comparisons,
      groups: groupsOfFour(this.#comparisons),
    };
  }

  #placeOf<T>(key: string, list: T[], make: () => T): number {
    let place = this.#places.get(key);
    if (place === undefined) {
      place = list.length;
      this.#places.set(key, place);
      list.push(make());
    }
    return place;
  }
}

/**
 * For each answer that was preferred to at least three others and never the other way around, it and the first three of
 * them (as RewardBench 2 has them: one chosen and three rejected answers). Each answer is best once.
 */
function groupsOfFour(comparisons: readonly Comparison[]): GroupOfFour[] {
  const beaten = new Map<number, { prompt: number; others: Set<number> }>();
  for (const { prompt, chosen, rejected } of comparisons) {
    const entry = beaten.get(chosen) ?? { prompt, others: new Set() };
    entry.others.add(rejected);
    beaten.set(chosen, entry);
  }
  return [...beaten].flatMap(([best, { prompt, others }]) => {
    const clearly = [...others].filter((other) => beaten.get(other)?.others.has(best) !== true);
    return clearly.length < 3 ? [] : [{ prompt, best, others: clearly.slice(0, 3) }];
  });
}
