/**
 * @file Bounds on what a tokenizer.json may ask for, far above those of any model, so that the work on a text grows
 * with the text alone.
 */

import { invalidTokenizer, requireArray, requireObject, type JsonObject } from "./tokenizer-fields.ts";

/** UTF-16 units of a token. The longest of models in use are runs of some hundred spaces. */
const maxTokenLength = 1024;

/** UTF-16 units of what a step puts into a text: a replacement, a prefix, an affix of a word. */
const maxInsertedLength = 64;

/** UTF-16 units of a regular expression. */
const maxPatternLength = 8192;

/** Steps of a normalizer, a pre-tokenizer or a decoder, and how deeply lists of them may be nested. */
const [maxSteps, maxNesting] = [64, 8];

/** Bytes that all tokens have together as text. */
export const maxDecodedBytes = 256 * 1024 * 1024;

/** Special tokens around one text. */
export const maxAffixTokens = 256;

/** Characters of a word that WordPiece takes apart: its cost grows with their square. 100 by default. */
const maxWordLength = 1000;

/** How many times as long as its text all steps together may make it. U+FDFA is 18 characters in NFKD. */
const maxGrowth = 64;

/** The text, unless a step has made it too long. @throws BonsaiError `invalid_tokenizer` */
export function checkGrowth(after: string, before: string, field: string): string {
  if (after.length > maxGrowth * (before.length + 16))
    throw invalidTokenizer(field, `makes ${after.length} characters of ${before.length}, more than ${maxGrowth} times as many`);
  return after;
}

/**
 * The steps of a normalizer, pre-tokenizer or decoder, each with its field: itself, or those of a `Sequence` in turn.
 * @param list the field in which a `Sequence` has its steps
 * @throws BonsaiError `invalid_tokenizer` for too many, or one that inserts too much
 */
export function stepsOf(json: JsonObject, list: string, field: string): [step: JsonObject, field: string][] {
  const found: [JsonObject, string][] = [];
  const collect = (step: JsonObject, stepField: string, depth: number): void => {
    if (found.length === maxSteps || depth > maxNesting)
      throw invalidTokenizer(field, `has more than ${maxSteps} steps, or lists of them more than ${maxNesting} deep`);
    if (step["type"] === "Sequence") {
      for (const [index, entry] of requireArray(step[list], `${stepField}.${list}`).entries()) {
        const entryField = `${stepField}.${list}[${index}]`;
        collect(requireObject(entry, entryField), entryField, depth + 1);
      }
    } else {
      checkStep(step, stepField);
      found.push([step, stepField]);
    }
  };
  collect(json, field, 0);
  return found;
}

function checkStep(step: JsonObject, field: string): void {
  for (const name of ["content", "prepend", "replacement"]) checkInserted(step[name], `${field}.${name}`);
  const { pattern, length } = step as { pattern?: { Regex?: unknown } | null; length?: unknown };
  const regex = pattern?.Regex;
  if (typeof regex === "string" && regex.length > maxPatternLength)
    throw invalidTokenizer(`${field}.pattern`, `has ${regex.length} characters; at most ${maxPatternLength} are possible`);
  if (step["type"] === "FixedLength" && length !== undefined && !(Number.isInteger(length) && Number(length) > 0))
    throw invalidTokenizer(`${field}.length`, "must be a whole number above 0");
}

/** @throws BonsaiError `invalid_tokenizer` for a text that is too long to put into others */
export function checkInserted(value: unknown, field: string): void {
  if (typeof value === "string" && value.length > maxInsertedLength)
    throw invalidTokenizer(field, `has ${value.length} characters; at most ${maxInsertedLength} are possible`);
}

/** @throws BonsaiError `invalid_tokenizer` for a token that is too long */
export function checkTokenLength(token: string, field: () => string): void {
  if (token.length > maxTokenLength)
    throw invalidTokenizer(field(), `has ${token.length} characters; a token has at most ${maxTokenLength}`);
}

/** @throws BonsaiError `invalid_tokenizer` for a WordPiece model that takes longer words apart */
export function checkWordLength(value: unknown): void {
  if (typeof value === "number" && value > maxWordLength)
    throw invalidTokenizer("model.max_input_chars_per_word", `is ${value}; at most ${maxWordLength} are possible`);
}
