/** @file `npm run collect -- split FILE`: preference rows in parts for training and evaluation, with no prompt, topic or text on both sides. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { JsonObject } from "../../formats/json-file.ts";
import { onDisk, writeWholeFile } from "../../formats/written-file.ts";
import { linkedGroups, plainText, splitRows, type WantedSide } from "../../preferences/splitting.ts";
import { rowError, type RowPlace } from "../../training/data/dataset-row.ts";
import { readJsonLines } from "../../formats/json-lines.ts";
import { readPreferenceRow, type PromptAndAnswer } from "../../training/data/preference-row.ts";
import { numberOf } from "./collect-options.ts";
import { parseArguments } from "./command-arguments.ts";

const help = `Split preference rows for training and evaluation, so that nothing leaks.

Usage: npm run collect -- split FILE --output-dir DIR [options]

  FILE                  JSON Lines of preferences
  --output-dir DIR      where train.jsonl, held-out.jsonl and, if asked for, validation.jsonl go, with rows as they are
  --by prompt|FIELD     what stands on one side only: prompts, or the values of a field of the rows, such as topic (default prompt)
  --until MARK          of that field, only what stands before the first MARK: --by topic --until _ keeps both sides of a debate together
  --held-out P          share of the rows (default 0.1)
  --validation P        share of the rows for choices along the way (default 0: no such file)
  --seed N              decides which (default 0)
  --help, -h

Whatever it is split by, two rows that share an answer stand on one side, and so do conversations that begin with the same words of the user.
Rows whose answers read alike, and rows that were there before, are left out.`;

interface SplitOptions {
  file: string;
  outputDir: string;
  by: string;
  until: string | undefined;
  heldOut: number;
  validation: number;
  seed: number;
}

/** A row that is kept: its line, and what links it to others. */
interface LinkedRow {
  text: string;
  keys: string[];
}

/** @returns the exit status 0. @throws BonsaiError `usage`; `file_not_found`; `invalid_dataset`; `write_failed`. */
export async function runSplitCommand(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) {
    console.log(help);
    return 0;
  }
  const { file, outputDir, by, heldOut, validation, seed } = options;
  const { rows, alike, repeated } = readRows(options);
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
  console.log(`${rows.length} rows in ${linkedGroups(keys).length} groups that share no ${by} and no text.`);
  if (alike > 0) console.log(`Left out: ${alike} rows whose answers read alike.`);
  if (repeated > 0) console.log(`Left out: ${repeated} rows that were there before.`);
  for (const [side, name] of names.entries()) {
    const path = join(outputDir, `${name}.jsonl`);
    const own = rows.filter((_, row) => sides[row] === side);
    writeWholeFile(path, [own.map(({ text }) => `${text}\n`).join("")]);
    const groups = linkedGroups(own.map((row) => row.keys)).length;
    console.log(`${path}: ${own.length} rows (${((100 * own.length) / rows.length).toFixed(1)}%) in ${groups} groups`);
  }
  return 0;
}

function readRows({ file, by, until }: SplitOptions): { rows: LinkedRow[]; alike: number; repeated: number } {
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

/** The whole prompt, and where it is a conversation what the user began it with: later turns of one conversation are prompts, too. */
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

function readOptions(args: readonly string[]): SplitOptions | undefined {
  const { values, positionals } = parseArguments(args, flags);
  if (values.help === true) return undefined;
  const [file, ...rest] = positionals;
  if (file === undefined || rest.length > 0) throw new BonsaiError("usage", "Name one file to split. See split --help.");
  const { "output-dir": outputDir, by, until } = values;
  if (outputDir === undefined) throw new BonsaiError("usage", "Say where the parts go: --output-dir DIR.", { param: "--output-dir" });
  const share = (flag: "held-out" | "validation"): number => numberOf(flag, values[flag], { least: 0, most: 0.9 });
  const options = {
    file,
    outputDir,
    by,
    until,
    heldOut: share("held-out"),
    validation: share("validation"),
    seed: numberOf("seed", values.seed, { least: 0, whole: true }),
  };
  if (options.heldOut === 0 || options.heldOut + options.validation >= 1)
    throw new BonsaiError("usage", "--held-out must be above 0, and with --validation below 1.", { param: "--held-out" });
  return options;
}

const flags = {
  help: { type: "boolean", short: "h" },
  "output-dir": { type: "string" },
  by: { type: "string", default: "prompt" },
  until: { type: "string" },
  "held-out": { type: "string", default: "0.1" },
  validation: { type: "string", default: "0" },
  seed: { type: "string", default: "0" },
} as const;
