/** @file Preference files as sets to evaluate scores with. */

import { basename } from "node:path";
import { existsSync } from "node:fs";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { EvaluationSetBuilder, type EvaluationSet } from "./evaluation-set.ts";
import type { Preference } from "../../judges/judges.ts";
import type { Message } from "../../text/conversation/message.ts";
import { rowError, type RowPlace } from "../../training/data/dataset-row.ts";
import { readJsonLines } from "../../formats/json-lines.ts";
import { readPreferenceRow, type PromptAndAnswer } from "../../training/data/preference-row.ts";
import type { Ranking } from "../../training/data/ranking.ts";

/**
 * @param word a file, or name=file; else the set is named as its file, without its ending
 * @param limit rows from its beginning
 * @throws BonsaiError `file_not_found`; `invalid_dataset`, naming line and field.
 */
export function readEvaluationSet(word: string, limit: number | undefined): EvaluationSet {
  const [, alias, aliased] = existsSync(word) ? [] : (/^([^=/]+)=(.+)$/s.exec(word) ?? []);
  const path = aliased ?? word;
  const builder = new EvaluationSetBuilder(alias ?? basename(path).replace(/\.jsonl?$/, ""));
  let rows = 0;
  for (const { line, row } of readJsonLines(path)) {
    if (limit !== undefined && rows === limit) break;
    rows++;
    const place = { path, line };
    const { answers, ranking, dimensions } = readPreferenceRow(row, place);
    const read = answers.map(readConversation);
    const prompt = read[0]!.prompt;
    if (read.some((one) => JSON.stringify(one.prompt) !== JSON.stringify(prompt)))
      throw rowError(place, "the answers", "must be to the same conversation: only their last messages may differ");
    const preferences = Object.fromEntries([...dimensions].map(([dimension, of]) => [dimension, preferenceIn(of, dimension, place)]));
    builder.add(prompt, read.map(({ text }) => text), ranking.ranks, preferences); // prettier-ignore
  }
  const set = builder.build();
  if (set.comparisons.length === 0)
    throw new BonsaiError("invalid_dataset", `${path} holds no answers that compare.`, { param: "--dataset" });
  return set;
}

/** A text is what a user said. */
function readConversation(given: PromptAndAnswer): { prompt: Message[]; text: string } {
  if (given.form === "text") return { prompt: given.prompt === "" ? [] : [{ role: "user", content: given.prompt }], text: given.answer };
  return { prompt: [...given.prompt, ...given.answer.slice(0, -1)] as Message[], text: given.answer.at(-1)!.content };
}

function preferenceIn({ ranks }: Ranking, dimension: string, place: RowPlace): Preference {
  const [first, second] = ranks;
  if (ranks.length !== 2) throw rowError(place, `preferences.${dimension}`, "must be of a pair");
  return first === second ? 0 : first! < second! ? 1 : -1;
}
