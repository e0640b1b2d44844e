/** @file Files that judges of a collection read: people's ratings, and words with weights. */

import { BonsaiError } from "../errors/bonsai-error.ts";
import { isJsonObject, readJsonObject } from "../formats/json-file.ts";
import { readJsonLines } from "../formats/json-lines.ts";
import type { PeoplesRating } from "../judges/people.ts";
import { rowError } from "../training/data/dataset-row.ts";
import { conversationOf } from "./candidates.ts";
import { present, readAnswer, readPrompt } from "./collect-prompts.ts";

/** @throws BonsaiError `file_not_found`; `invalid_dataset`, naming line and field. */
export function readRatings(path: string): PeoplesRating[] {
  const ratings: PeoplesRating[] = [];
  for (const { line, row } of readJsonLines(path)) {
    const place = { path, line };
    const prompt = conversationOf(readPrompt(row, place));
    if (present(row, "chosen")) {
      ratings.push({
        kind: "choice",
        prompt,
        chosen: readAnswer(row["chosen"], "chosen", place),
        rejected: readAnswer(row["rejected"], "rejected", place),
      });
      continue;
    }
    const { rating, ratings: dimensions } = row;
    if (typeof rating !== "number") throw rowError(place, "rating", 'must be a number, or the row a choice with "chosen" and "rejected"');
    if (dimensions !== undefined && !(isJsonObject(dimensions) && Object.values(dimensions).every((value) => typeof value === "number")))
      throw rowError(place, "ratings", 'must be an object of numbers, such as {"safety": 4}');
    ratings.push({
      kind: "mark",
      prompt,
      answer: readAnswer(row["completion"], "completion", place),
      rating,
      ratings: dimensions as Record<string, number> | undefined,
    });
  }
  if (ratings.length === 0) throw new BonsaiError("invalid_dataset", `${path} holds no ratings.`, { param: "--judge" });
  return ratings;
}

const largestLexiconBytes = 2 ** 24;

/** @throws BonsaiError `file_not_found`; `invalid_dataset` where it is no object of numbers. */
export function readLexicon(path: string): Map<string, number> {
  const weights = Object.entries(readJsonObject(path, largestLexiconBytes));
  const wrong = weights.find(([, weight]) => typeof weight !== "number");
  if (wrong !== undefined || weights.length === 0)
    throw new BonsaiError(
      "invalid_dataset",
      `${path}: ${wrong === undefined ? "no word has a weight" : `the weight of ${JSON.stringify(wrong[0])} must be a number`}.`,
      {
        param: "--judge",
      },
    );
  return new Map(weights as [string, number][]);
}
