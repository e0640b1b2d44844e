/** @file Cuts text into the words inside which tokens may merge: the pre_tokenizer of tokenizer.json. */

import { sliceCharacters } from "../slices.ts";
import { allMatches, type Pattern } from "./counted-pattern.ts";
import { compilePattern, loadPart } from "./hugging-face.ts";
import { invalidTokenizer, optionalBoolean, type JsonObject } from "./tokenizer-fields.ts";
import { stepsOf } from "./tokenizer-limits.ts";

/** @param isFirst whether the text begins the whole input, for `prepend_scheme: "first"`. */
type Step = (text: string, isFirst: boolean) => Iterable<string>;

export interface PreTokenizer {
  /** Words are to be encoded as their UTF-8 bytes. */
  byteLevel: boolean;
  /** The words of a text. Those of a long one are found one by one as they are asked for. */
  split: Step;
}

/** GPT-2's pattern (Radford et al. 2019), with Unicode's White_Space, which JavaScript's \s is not quite. */
const gpt2Words =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** `\w+|[^\w\s]+` with Unicode's word characters (UTS #18, annex C). */
const wordsOrSymbols =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

/**
 * Compiles a `pre_tokenizer`. Steps follow Hugging Face's Rust implementation, which the goldens of the tests come
 * from.
 * @throws BonsaiError `invalid_tokenizer`, naming the field.
 */
export function compilePreTokenizer(json: JsonObject | null): PreTokenizer {
  if (json === null) return { byteLevel: false, split: (text) => [text] };
  const found = stepsOf(json, "pretokenizers", "pre_tokenizer");
  const byteLevel = found.at(-1)?.[0]["type"] === "ByteLevel";
  // A step after ByteLevel sees the byte alphabet instead of the text, which the library's step writes.
  const steps = found.map(([step, field], index) =>
    step["type"] === "ByteLevel" && index < found.length - 1 ? libraryStep(step, field) : compileStep(step, field),
  );
  return { byteLevel, split: (text, isFirst) => splitBySteps(text, isFirst, steps) };
}

function splitBySteps(text: string, isFirst: boolean, steps: readonly Step[]): Iterable<string> {
  if (text.length > sliceCharacters) return splitLazily(text, isFirst, steps);
  const wordsOf = (words: Iterable<string>): readonly string[] => (Array.isArray(words) ? words : [...words]);
  return steps.reduce<string[]>((words, step) => words.flatMap((word, index) => wordsOf(step(word, isFirst && index === 0))), [text]);
}

function* splitLazily(text: string, isFirst: boolean, [step, ...others]: readonly Step[]): Generator<string> {
  if (step === undefined) {
    yield text;
    return;
  }
  let isFirstWord = isFirst;
  for (const word of step(text, isFirst)) {
    yield* splitBySteps(word, isFirstWord, others);
    isFirstWord = false;
  }
}

function compileStep(step: JsonObject, field: string): Step {
  switch (step["type"]) {
    case "ByteLevel": {
      const addPrefixSpace = optionalBoolean(step["add_prefix_space"], `${field}.add_prefix_space`) ?? false;
      const useRegex = optionalBoolean(step["use_regex"], `${field}.use_regex`) ?? true;
      return (text) => {
        const prefixed = addPrefixSpace && !text.startsWith(" ") ? ` ${text}` : text;
        return useRegex ? splitByPattern(prefixed, gpt2Words, "Isolated", false) : [prefixed];
      };
    }
    case "Digits": {
      const individual = optionalBoolean(step["individual_digits"], `${field}.individual_digits`) ?? false;
      const runs = individual ? /\P{N}+|\p{N}/gu : /\P{N}+|\p{N}+/gu;
      return (text) => splitByPattern(text, runs, "Isolated", false);
    }
    case "Split": {
      const pattern = compilePattern(step["pattern"], `${field}.pattern`);
      const behavior = requireBehavior(step["behavior"], `${field}.behavior`);
      const invert = optionalBoolean(step["invert"], `${field}.invert`) ?? false;
      return (text) => splitByPattern(text, pattern, behavior, invert);
    }
    case "Whitespace":
      return (text) => splitByPattern(text, wordsOrSymbols, "Removed", true);
    case "WhitespaceSplit":
      return (text) => splitByPattern(text, /\p{White_Space}+/gu, "Removed", false);
    case "Metaspace":
      return compileMetaspace(step, field);
    default:
      return libraryStep(step, field);
  }
}

function libraryStep(step: JsonObject, field: string): Step {
  // The library would run a regular expression without a limit.
  if ((step["pattern"] as { Regex?: unknown } | undefined)?.Regex !== undefined)
    throw invalidTokenizer(`${field}.pattern`, "is a regular expression, which a step of this type cannot have here");
  const { pre_tokenizer: split } = loadPart("pre_tokenizer", step, field);
  if (split === null) throw invalidTokenizer(field, "is no pre-tokenizer");
  return (text, isFirst) => split(text, { section_index: isFirst ? 0 : 1 });
}

function compileMetaspace(step: JsonObject, field: string): Step {
  const replacement = step["replacement"] ?? "▁";
  if (typeof replacement !== "string" || [...replacement].length !== 1)
    throw invalidTokenizer(`${field}.replacement`, "must be a character");
  const scheme = step["prepend_scheme"] ?? (step["add_prefix_space"] === false ? "never" : "always");
  if (scheme !== "always" && scheme !== "first" && scheme !== "never") {
    throw invalidTokenizer(`${field}.prepend_scheme`, 'must be "always", "first" or "never"');
  }
  const split = optionalBoolean(step["split"], `${field}.split`) ?? true;
  const pattern = new RegExp(escapePattern(replacement), "gu");
  return (text, isFirst) => {
    const replaced = text.replaceAll(" ", replacement);
    const prepend = !replaced.startsWith(replacement) && (scheme === "always" || (scheme === "first" && isFirst));
    const words = prepend ? replacement + replaced : replaced;
    return split ? splitByPattern(words, pattern, "MergedWithNext", false) : [words];
  };
}

function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
export type SplitBehavior = (typeof behaviors)[number];

function requireBehavior(value: unknown, field: string): SplitBehavior {
  const behavior = behaviors.find((name) => name === value);
  if (behavior === undefined) throw invalidTokenizer(field, `must be one of ${behaviors.join(", ")}`);
  return behavior;
}

/** Cuts a text by a global pattern, with what becomes of the matches as in Hugging Face's `SplitDelimiterBehavior`. */
export function splitByPattern(text: string, pattern: Pattern, behavior: SplitBehavior, invert: boolean): Iterable<string> {
  if (text === "") return [];
  if (behavior === "Isolated" && pattern instanceof RegExp && text.length <= sliceCharacters) {
    // The patterns of today's models cover the whole text; then the matches alone are the words.
    const matches = text.match(pattern);
    if (matches === null) return [text];
    let covered = 0;
    for (const match of matches) covered += match.length;
    if (covered === text.length) return matches.filter((match) => match !== "");
  }
  return mergeParts(parts(text, pattern, invert), behavior);
}

function* mergeParts(found: Iterable<Part>, behavior: SplitBehavior): Generator<string> {
  let word: Part | undefined;
  for (const next of found) {
    if (behavior === "Removed" && next.isMatch) continue;
    if (word !== undefined && joins(word, next, behavior)) word = { part: word.part + next.part, isMatch: next.isMatch };
    else {
      if (word !== undefined) yield word.part;
      word = next;
    }
  }
  if (word !== undefined) yield word.part;
}

/** Whether a part belongs to the word that ends with the one before it. */
function joins(word: Part, next: Part, behavior: SplitBehavior): boolean {
  if (behavior === "Contiguous") return word.isMatch === next.isMatch;
  if (behavior === "MergedWithPrevious") return next.isMatch && !word.isMatch;
  return behavior === "MergedWithNext" && word.isMatch && !next.isMatch;
}

interface Part {
  part: string;
  isMatch: boolean;
}

/** The text as alternating matches and stretches between them. */
function* parts(text: string, pattern: Pattern, invert: boolean): Generator<Part> {
  let start = 0;
  for (const match of allMatches(text, pattern)) {
    if (match[0] === "") continue;
    if (match.index > start) yield { part: text.slice(start, match.index), isMatch: invert };
    yield { part: match[0], isMatch: !invert };
    start = match.index + match[0].length;
  }
  if (start < text.length) yield { part: text.slice(start), isMatch: invert };
}
