/** @file The options by which commands choose judges, and the list of judges for their --help. */

import { Type } from "typebox";
import type { OptionAnnotations } from "../config/option.ts";

/** An http or https address of an OpenAI-compatible server, as an option. */
export const addressOption = (given: OptionAnnotations) =>
  Type.String({ pattern: "^https?://[^\\s/]", values: "an address such as http://127.0.0.1:8000/v1", metavar: "URL", ...given });

/** What judges are told beside their names, as properties of a command's schema. */
export const judgeProperties = (group: string) => ({
  judgeUrl: Type.Optional(
    addressOption({
      group,
      description: "Where the language model of llm=NAME is served; a key is taken from OPENAI_API_KEY",
      defaultText: "in this process",
    }),
  ),
  criterion: Type.Optional(Type.String({ group, metavar: "TEXT", description: "What the language model judges by" })),
  judgeTokens: Type.Integer({
    minimum: 1,
    group,
    unit: "tokens",
    description: "Room for the reasons of a language model that judges",
    default: 512,
  }),
  equalBelow: Type.Number({
    minimum: 0,
    group,
    metavar: "X",
    description: "Scores that differ by less than this are equal, in the judge's units; for judges that give scores",
    default: 0,
  }),
});

/** A paragraph of --help. */
export const judgeHelp = `Judges:
  raters, raters=N    the teddy world's simulated raters: one drawn for each prompt, or the majority of N
  rater=NAME          one of them
  gold                the teddy world's gold program
  llm=NAME|DIR        a language model, asked about pairs in both orders; served at --judge-url, or in this process
  reward=NAME|DIR     a reward model, in this process
  people=FILE         ratings: {"prompt", "completion", "rating", "ratings"?} or {"prompt", "chosen", "rejected"}
  bleu, rouge-l       nearness to the references
  length, length=N    longer is better, or nearer to N words
  format, format=RE   good form, or a match of a regular expression
  lexicon=FILE        a JSON object of words and weights`;
