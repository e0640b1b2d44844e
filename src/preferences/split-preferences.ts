/** @file Splits a file of preference rows for training and evaluation, with no prompt, topic or text on both sides. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Type, type Static } from "typebox";
import { annotations } from "../config/option.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { JsonObject } from "../formats/json-file.ts";
import { readJsonLines } from "../formats/json-lines.ts";
import { onDisk, writeWholeFile } from "../formats/written-file.ts";
import { rowError, type RowPlace } from "../training/data/dataset-row.ts";
import { readPreferenceRow, type PromptAndAnswer } from "../training/data/preference-row.ts";
import { linkedGroups, plainText, splitRows, type WantedSide } from "./splitting.ts";

const annotate = annotations<"Split">();

export const SplitSchema = Type.Object({
  outputDir: Type.String(
    annotate({
      group: "Split",
      metavar: "DIR",
      description: "Where train.jsonl, held-out.jsonl and, if asked for, validation.jsonl go, with rows as they are",
      whenMissing: "Say where the parts go: --output-dir DIR.",
    }),
  ),
  by: Type.String(
    annotate({
      group: "Split",
      metavar: "prompt|FIELD",
      description: "What stands on one side only: prompts, or the values of a field of the rows, such as topic",
      default: "prompt",
    }),
  ),
  until: Type.Optional(
    Type.String(
      annotate({
        group: "Split",
        metavar: "MARK",
        description:
          "Take of that field only what stands before the first MARK: --by topic --until _ keeps both sides of a debate together",
      }),
    ),
  ),
  heldOut: Type.Number({
    exclusiveMinimum: 0,
    maximum: 0.9,
    ...annotate({ group: "Split", metavar: "P", description: "Share of the rows that is held out", default: 0.1 }),
  }),
  validation: Type.Number({
    minimum: 0,
    maximum: 0.9,
    ...annotate({
      group: "Split",
      metavar: "P",
      description: "Share of the rows for choices along the way; 0 writes no such file",
      default: 0,
    }),
  }),
  seed: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    ...annotate({ group: "Split", description: "Decides which rows go where", default: 0 }),
  }),
});

type SplitOptions = Static<typeof SplitSchema>;

/** A row that is kept: its line, and what links it to others. */
interface LinkedRow {
  text: string;
  keys: string[];
}

/**
 * Writes the parts.
 * @returns lines that say what they hold
 * @throws BonsaiError `usage`; `file_not_found`; `invalid_dataset`; `write_failed`.
 */
export function splitPreferences(file: string, options: SplitOptions): string[] {
  const { outputDir, by, heldOut, validation, seed } = options;
  if (heldOut + validation >= 1)
    throw new BonsaiError("usage", "--held-out and --validation together must be below 1.", { param: "--held-out" });
  const { rows, alike, repeated } = readRows(file, options);
  const wanted: WantedSide[] = [
    { name: "held-out", share: heldOut },
    ...(validation > 0 ? [{ name: "validation", share: validation }] : []),
  ];
  const keys = rows.map((row) => row.keys);
  const sides = splitRows(keys, wanted, seed);
  const names = ["train", ...wanted.map(({ name }) => name)];
  const empty = names.find((_, side) => !sides.includes(side));
  if (empty !== undefined)
    throw new BonsaiError(
      "invalid_dataset",
      `${file}: nothing is left for ${empty}, since its ${rows.length} rows hang together in ${linkedGroups(keys).length} groups; ask for a larger share, or split by something finer.`,
    );
  onDisk(outputDir, () => mkdirSync(outputDir, { recursive: true }));
  const parts = names.map((name, side) => {
    const path = join(outputDir, `${name}.jsonl`);
    const own = rows.filter((_, row) => sides[row] === side);
    writeWholeFile(path, [own.map(({ text }) => `${text}\n`).join("")]);
    const groups = linkedGroups(own.map((row) => row.keys)).length;
    return `${path}: ${own.length} rows (${((100 * own.length) / rows.length).toFixed(1)}%) in ${groups} groups`;
  });
  return [
    `${rows.length} rows in ${linkedGroups(keys).length} groups that share no ${by} and no text.`,
    ...(alike > 0 ? [`Left out: ${alike} rows whose answers read alike.`] : []),
    ...(repeated > 0 ? [`Left out: ${repeated} rows that were there before.`] : []),
    ...parts,
  ];
}

function readRows(file: string, { by, until }: SplitOptions): { rows: LinkedRow[]; alike: number; repeated: number } {
  const rows: LinkedRow[] = [];
  const seen = new Set<string>();
  let [alike, repeated] = [0, 0];
  for (const { line, row } of readJsonLines(file)) {
    const place = { path: file, line };
    const { answers } = readPreferenceRow(row, place);
    const texts = answers.map(({ form, answer }) => plainText(form === "text" ? answer : answer.map(({ content }) => content).join("\n")));
    const prompt = promptKeys(answers[0]!);
    const whole = JSON.stringify([prompt, row["ranks"] === undefined ? texts : texts.toSorted(), row["ranks"] ?? 0]);
    if (new Set(texts).size === 1) alike++;
    else if (seen.has(whole)) repeated++;
    else
      rows.push({
        text: JSON.stringify(row),
        keys: [...fieldKeys(row, by, until, place), ...prompt, ...texts.map((text) => `answer ${text}`)],
      });
    seen.add(whole);
  }
  if (rows.length === 0) throw new BonsaiError("invalid_dataset", `${file} holds no rows to split.`);
  return { rows, alike, repeated };
}

/**
 * The whole prompt, and where it is a conversation what the user began it with: later turns of one conversation are
 * prompts, too.
 */
function promptKeys({ form, prompt }: PromptAndAnswer): string[] {
  if (form === "text") return [`prompt ${plainText(prompt)}`];
  const opening = prompt.find(({ role }) => role === "user")?.content ?? "";
  return [`prompt ${plainText(prompt.map(({ role, content }) => `${role}: ${content}`).join("\n"))}`, `prompt ${plainText(opening)}`];
}

function fieldKeys(row: JsonObject, by: string, until: string | undefined, place: RowPlace): string[] {
  if (by === "prompt") return [];
  const value = row[by];
  if (typeof value !== "string" && typeof value !== "number")
    throw rowError(place, by, "must be a text or a number, since rows are split by it");
  const text = String(value);
  return [`${by} ${until === undefined ? text : text.split(until)[0]!}`];
}
