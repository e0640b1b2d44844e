/**
 * @file Writes and looks at the teddy world: `npm run teddy -- corpus --output-dir DIR --tokens 5000000`. Commands:
 * corpus, sft, prompts, tokenizer, rename, judge, show. See src/teddy.
 */

import { createReadStream, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Type, type Static } from "typebox";
import { createProgress } from "../src/progress/progress.ts";
import { BonsaiError } from "../src/errors/bonsai-error.ts";
import { runCommand, type Command } from "../src/cli/run-command.ts";
import { annotations } from "../src/config/option.ts";
import { didYouMean } from "../src/config/suggestion.ts";
import { onDisk, writeWholeFile } from "../src/formats/written-file.ts";
import type { Message } from "../src/text/conversation/message.ts";
import { corpusTexts } from "../src/teddy/writer/corpus.ts";
import { demonstration, prompt } from "../src/teddy/writer/demonstration.ts";
import { judge, type GoldScores } from "../src/teddy/judge/judge.ts";
import { readJudgedLine } from "../src/teddy/judge/judged-line.ts";
import { renamingOf } from "../src/teddy/world/renaming.ts";
import { BpeTrainer } from "../src/text/tokenizer/bpe-trainer.ts";
import { requireMessages, rowError } from "../src/training/data/dataset-row.ts";
import { readJsonLines } from "../src/formats/json-lines.ts";

const commandNames = ["corpus", "sft", "prompts", "tokenizer", "rename", "judge", "show"];

const commandHelp = `Commands:
  corpus      writes OUTPUT/corpus.jsonl: base-training texts, {"text"}
  sft         writes OUTPUT/sft.jsonl and OUTPUT/sft-held-out.jsonl: demonstrations, {"messages"}
  prompts     writes OUTPUT/prompts.jsonl and OUTPUT/prompts-held-out.jsonl: {"prompt": [messages]}
  tokenizer   trains OUTPUT/tokenizer.json on OUTPUT/corpus.jsonl, or on texts of its own where that is absent
  rename FILE writes OUTPUT/preferences.jsonl: the preferences of FILE, each about a bear of a name that no other row has
  judge FILE  scores lines {"prompt", "completion"}, both as messages or text; - reads standard input
  show        prints ten conversations with their gold scores`;

const annotate = annotations<"Options">();

const TeddySchema = Type.Object({
  outputDir: Type.String(annotate({ group: "Options", metavar: "DIR", description: "Where files go", default: "teddy-data" })),
  seed: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    ...annotate({ group: "Options", description: "Decides the texts", default: 0 }),
  }),
  tokens: Type.Integer({
    minimum: 1,
    ...annotate({ group: "Options", description: "corpus: about how many tokens", default: 5_000_000 }),
  }),
  rows: Type.Optional(
    Type.Integer({
      minimum: 1,
      ...annotate({
        group: "Options",
        description: "sft and prompts: lines of training, and a tenth as many held-out ones; show: conversations",
        defaultText: "20000; show: 10",
      }),
    }),
  ),
  vocabSize: Type.Integer({
    minimum: 260,
    ...annotate({ group: "Options", description: "tokenizer: tokens in all", default: 2048 }),
  }),
});

type Options = Static<typeof TeddySchema>;

/** Characters of the corpus for each token of a vocabulary of 2,048, as measured on five million tokens. */
const charactersPerToken = 3.85;
/** The tokenizer learns from so many characters: more of them change no merge that matters. */
const tokenizerCharacters = 20_000_000;
const bufferedCharacters = 1 << 20;

function makeFolder({ outputDir }: Options): void {
  onDisk(outputDir, () => mkdirSync(outputDir, { recursive: true }));
}

/** Writes a file whole or not at all, and says how large it is. */
function write(path: string, pieces: Iterable<string>): void {
  writeWholeFile(path, inLargerPieces(pieces));
  console.log(`${path} (${(statSync(path).size / 1e6).toFixed(1)} MB)`);
}

/** The same characters in fewer pieces, each of which costs a write. */
function* inLargerPieces(pieces: Iterable<string>): Generator<string> {
  let buffer = "";
  for (const piece of pieces) {
    buffer += piece;
    if (buffer.length < bufferedCharacters) continue;
    yield buffer;
    buffer = "";
  }
  yield buffer;
}

function* lines(count: number, row: (index: number) => unknown): Generator<string> {
  for (let index = 0; index < count; index++) yield `${JSON.stringify(row(index))}\n`;
}

/** Texts with a progress line over their characters. */
function* withProgress(label: string, texts: Iterable<string>, characters: number): Generator<string> {
  const progress = createProgress(process.stderr, console.log);
  let done = 0;
  for (const text of texts) {
    done += text.length;
    progress.update(label, Math.min(done, characters), characters);
    yield text;
  }
  progress.end();
}

function* jsonTexts(texts: Iterable<string>): Generator<string> {
  for (const text of texts) yield `${JSON.stringify({ text })}\n`;
}

function writeCorpus({ outputDir, seed, tokens }: Options): void {
  const characters = Math.ceil(tokens * charactersPerToken);
  write(join(outputDir, "corpus.jsonl"), jsonTexts(withProgress("corpus", corpusTexts(seed, characters), characters)));
}

function writeSft({ outputDir, seed, rows = 20_000 }: Options): void {
  write(
    join(outputDir, "sft.jsonl"),
    lines(rows, (index) => ({ messages: demonstration(seed, index, "training", "mixed") })),
  );
  write(
    join(outputDir, "sft-held-out.jsonl"),
    lines(Math.ceil(rows / 10), (index) => ({ messages: demonstration(seed, index, "held-out") })),
  );
}

function writePrompts({ outputDir, seed, rows = 20_000 }: Options): void {
  const row =
    (split: "training" | "held-out") =>
    (index: number): unknown => ({ prompt: prompt(seed, index, split).messages });
  write(join(outputDir, "prompts.jsonl"), lines(rows, row("training")));
  write(join(outputDir, "prompts-held-out.jsonl"), lines(Math.ceil(rows / 10), row("held-out")));
}

async function writeTokenizer({ outputDir, seed, vocabSize }: Options): Promise<void> {
  const trainer = new BpeTrainer();
  const corpus = join(outputDir, "corpus.jsonl");
  if (existsSync(corpus)) {
    let characters = 0;
    for await (const line of createInterface({ input: createReadStream(corpus), crlfDelay: Infinity })) {
      const { text } = JSON.parse(line) as { text: string };
      trainer.addText(text);
      characters += text.length;
      if (characters >= tokenizerCharacters) break;
    }
  } else {
    for (const text of withProgress("texts", corpusTexts(seed, tokenizerCharacters), tokenizerCharacters)) trainer.addText(text);
  }
  // Demonstrations hold the questions and answers as the policy will meet them.
  for (let index = 0; index < 5000; index++) for (const { content } of demonstration(seed, index)) trainer.addText(content);
  const files = trainer.train(vocabSize);
  write(join(outputDir, "tokenizer.json"), [JSON.stringify(files.tokenizerJson)]);
  write(join(outputDir, "tokenizer_config.json"), [`${JSON.stringify(files.tokenizerConfig, undefined, 2)}\n`]);
}

function renamePreferences(path: string, { outputDir, seed }: Options): void {
  const renamed = function* (): Generator<string> {
    for (const { row, line } of readJsonLines(path)) {
      const place = { path, line };
      const messages = (field: string): Message[] => requireMessages(row[field], field, place);
      const [asked, chosen, rejected] = [messages("prompt"), messages("chosen"), messages("rejected")];
      const rename = renamingOf(asked, seed, line - 1);
      if (rename === undefined) throw rowError(place, "prompt", "names no bear of the teddy world");
      yield `${JSON.stringify({ ...row, prompt: rename(asked), chosen: rename(chosen), rejected: rename(rejected) })}\n`;
    }
  };
  write(join(outputDir, "preferences.jsonl"), renamed());
}

const dimensions = ["usefulness", "friendliness", "safety", "language", "score"] as const satisfies readonly (keyof GoldScores)[];

async function judgeLines(path: string): Promise<void> {
  if (path !== "-" && !existsSync(path)) throw new BonsaiError("file_not_found", `There is no file ${path}.`);
  const input = path === "-" ? process.stdin : createReadStream(path);
  const all: GoldScores[] = [];
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    number++;
    if (line.trim() === "") continue;
    const { prompt: messages, completion } = readJudgedLine(line, path === "-" ? "standard input" : path, number);
    const scores = judge(messages, completion);
    all.push(scores);
    console.log(JSON.stringify(scores));
  }
  for (const dimension of dimensions) {
    const mean = all.reduce((sum, scores) => sum + scores[dimension], 0) / Math.max(1, all.length);
    console.error(`${dimension.padEnd(13)} ${mean.toFixed(3)}`);
  }
  console.error(`${"answers".padEnd(13)} ${all.length}`);
}

function show({ seed, rows = 10 }: Options): void {
  for (let index = 0; index < rows; index++) {
    const messages = demonstration(seed, index);
    for (const { role, content } of messages) console.log(`${role === "user" ? "Q" : "A"}: ${content}`);
    const scores = judge(messages.slice(0, -1), messages.at(-1)!.content);
    console.log(`${dimensions.map((dimension) => `${dimension} ${scores[dimension].toFixed(2)}`).join(", ")}\n`);
  }
}

const writers: Readonly<Record<string, (options: Options) => void | Promise<void>>> = {
  corpus: writeCorpus,
  sft: writeSft,
  prompts: writePrompts,
  tokenizer: writeTokenizer,
};

async function run(command: string, files: readonly string[], options: Options): Promise<void> {
  if (command === "judge") {
    if (files.length !== 1) throw new BonsaiError("usage", "judge takes one file, or - for standard input. See --help.");
    return judgeLines(files[0]!);
  }
  if (command === "rename") {
    if (files.length !== 1) throw new BonsaiError("usage", "rename takes one file of preferences. See --help.");
    makeFolder(options);
    return renamePreferences(files[0]!, options);
  }
  if (files.length > 0) throw new BonsaiError("usage", `${command} takes no file, but got ${files[0]}. See --help.`);
  if (command === "show") return show(options);
  const writer = Object.hasOwn(writers, command) ? writers[command] : undefined;
  if (writer === undefined) {
    const problem = `There is no command "${command}".${didYouMean(command, commandNames)} Use one of`;
    throw new BonsaiError("usage", `${problem} ${commandNames.join(", ")}.`);
  }
  makeFolder(options);
  return writer(options);
}

const teddy: Command<typeof TeddySchema> = {
  name: "teddy",
  about: "Write texts of the teddy world, and look at them.",
  usage: ["COMMAND [FILE] [options]"],
  words: {
    metavar: "COMMAND [FILE]",
    description: "What to write or show; rename and judge take a file.",
    minimum: 1,
    maximum: 2,
    whenWrong: `Name a command: ${commandNames.join(", ")}.`,
  },
  schema: TeddySchema,
  notes: [commandHelp],
  run: async (options, { words: [command, ...files] }) => run(command!, files, options),
};

process.exitCode = await runCommand(teddy, process.argv.slice(2));
