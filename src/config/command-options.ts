/** @file The options of a command as one TypeBox schema: reads the words of its command line, and prints its --help. */

import type { Static, TObject } from "typebox";
import { readFlags, usage } from "./command-line.ts";
import { metavar, optionLines } from "./describe.ts";
import { defaultsOf, optionsOf } from "./option.ts";

/** Words beside the flags, such as names of models. */
export interface WordList {
  /** How --help names them, such as "NAME…". */
  metavar: string;
  description: string;
  /** How many there may be. */
  minimum: number;
  maximum: number;
  /** What the error says, as a sentence, where there are too few or too many. */
  whenWrong: string;
}

export interface CommandDescription<Schema extends TObject> {
  /** The command's name, as it is typed after `npm run`, such as "evaluate -- policy". */
  name: string;
  about: string;
  /** What follows the name in the usage line; several lines for several ways. */
  usage: readonly string[];
  schema: Schema;
  words?: WordList;
  /** Paragraphs below the options. */
  notes?: readonly string[];
}

/** What the command line asks for. */
export type CommandInvocation<Options> =
  | { kind: "help" }
  | { kind: "version" }
  | { kind: "run"; options: Options; words: readonly string[] };

/** @throws BonsaiError `usage`, naming the flag at fault and what would be right. */
export function readCommand<Schema extends TObject>(
  { schema, words: wordList }: Pick<CommandDescription<Schema>, "schema" | "words">,
  args: readonly string[],
): CommandInvocation<Static<Schema>> {
  const listed = optionsOf(schema.properties);
  const flags = readFlags(args, listed, [], wordList !== undefined);
  if (flags.kind !== "values") return flags;
  const { values, words } = flags;
  if (wordList !== undefined && (words.length < wordList.minimum || words.length > wordList.maximum))
    throw usage(wordList.metavar, `${wordList.whenWrong} --help lists the options.`);
  for (const option of listed) {
    if (option.isRequired && !Object.hasOwn(values, option.name))
      throw usage(`--${option.flag}`, option.whenMissing ?? `--${option.flag}${metavar(option)} must be given: --help lists the options.`);
  }
  return { kind: "run", options: { ...defaultsOf(listed), ...values } as Static<Schema>, words };
}

/** The text of --help. */
export function commandHelp({ name, about, usage: ways, schema, words, notes = [] }: CommandDescription<TObject>): string {
  const listed = optionsOf(schema.properties);
  const groups = [...new Set(listed.map(({ group }) => group))];
  const lines = [
    about,
    "",
    ...ways.map((way, index) => `${index === 0 ? "Usage: " : "       "}npm run ${name}${name.includes(" -- ") ? "" : " --"} ${way}`),
    ...(words === undefined ? [] : ["", `  ${words.metavar}`, `        ${words.description}`]),
    ...optionLines(groups, listed, { withVariables: false, others: [] }),
    ...notes.flatMap((note) => ["", note]),
  ];
  return `${lines.join("\n")}\n`;
}
