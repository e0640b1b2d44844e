/** @file Flags of a command line as values of options, checked one by one, and mistakes told by name. */

import { parseArgs } from "node:util";
import { Value } from "typebox/value";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { Option } from "./option.ts";
import { didYouMean } from "./suggestion.ts";

export const usage = (param: string, message: string, cause?: unknown): BonsaiError => new BonsaiError("usage", message, { param, cause });

/** The values that a command line gives. */
export type FlagValues =
  | { kind: "help" }
  | { kind: "version" }
  | {
      kind: "values";
      values: Record<string, unknown>;
      /** Values of flags that are no options, by name. */
      others: ReadonlyMap<string, string>;
      /** What stands between the flags. */
      words: readonly string[];
    };

/**
 * Reads flags: `--name value`, `--name=value`, `--name` and `--no-name` of a boolean, repeated ones of a list.
 * @param otherFlags Names of flags that take a text and are no option.
 * @param takesWords Whether words that belong to no flag are taken; else they are refused.
 * @throws BonsaiError `usage` with the flag at fault; values of secret options are never in the message.
 */
export function readFlags(
  args: readonly string[],
  options: readonly Option[],
  otherFlags: readonly string[] = [],
  takesWords = false,
): FlagValues {
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      version: { type: "boolean", short: "v" },
      ...Object.fromEntries(otherFlags.map((flag) => [flag, { type: "string" as const }])),
      ...Object.fromEntries(
        options.map((option) => [
          option.flag,
          { type: option.kind === "boolean" ? ("boolean" as const) : ("string" as const), multiple: true },
        ]),
      ),
    },
  });
  const known = ["help", "version", ...otherFlags, ...options.map((option) => option.flag)].map((flag) => `--${flag}`);
  const texts = new Map<Option, { name: string; texts: string[] }>();
  const others = new Map<string, string>();
  const words: string[] = [];
  let wanted: "help" | "version" | undefined;
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional" && takesWords) {
      words.push(token.value);
      continue;
    }
    if (token.kind === "positional") {
      // The text is not shown: it may be a key that lost its flag.
      throw usage(
        "arguments",
        `Word ${token.index + 1} of the arguments belongs to no option: options are written as --name value.${didYouMean(`--${token.value}`, known)}`,
      );
    }
    if (token.name === "help" || token.name === "version") {
      wanted ??= token.name;
      continue;
    }
    const negated = token.rawName.startsWith("--no-");
    const flag = negated ? token.name.replace(/^no-/, "") : token.name;
    const option = options.find((candidate) => candidate.flag === flag && (!negated || candidate.kind === "boolean"));
    if (option === undefined && !otherFlags.includes(flag))
      throw usage(token.rawName, `Unknown option ${token.rawName}.${didYouMean(token.rawName, known)} --help lists all of them.`);
    if (option?.kind !== "boolean" && (token.value === undefined || (!token.inlineValue && token.value.startsWith("--")))) {
      throw usage(
        token.rawName,
        `${token.rawName} needs a value${option?.metavar === undefined ? "" : `: ${token.rawName} ${option.metavar}`}.`,
      );
    }
    if (option === undefined) {
      others.set(flag, token.value ?? "");
    } else {
      const entry = texts.get(option) ?? { name: token.rawName, texts: [] };
      entry.texts.push(negated ? "false" : (token.value ?? "true"));
      texts.set(option, entry);
    }
  }
  if (wanted !== undefined) return { kind: wanted };
  const values = Object.fromEntries(
    [...texts].map(([option, entry]) => {
      if (option.kind !== "list" && entry.texts.length > 1)
        throw usage(`--${option.flag}`, `--${option.flag} is given ${entry.texts.length} times; it takes one value.`);
      return [
        option.name,
        checkValue(
          option,
          option.kind === "list" ? entry.texts : fromText(option, entry.texts[0]!, `--${option.flag}`),
          `--${option.flag}`,
        ),
      ];
    }),
  );
  return { kind: "values", values, others, words };
}

const byteUnits: Readonly<Record<string, number>> = { "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A flag's or variable's text as the value that its option takes. */
export function fromText(option: Option, text: string, where: string): unknown {
  if (option.kind === "boolean") {
    if (text === "true" || text === "1") return true;
    if (text === "false" || text === "0") return false;
    throw usage(where, `${where} must be true or false, not ${JSON.stringify(text)}.`);
  }
  if (option.kind === "number") {
    if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
    throw usage(where, `${where} must be ${describeValues(option)}, not ${JSON.stringify(text)}.`);
  }
  if (option.kind !== "integer") return text;
  const match = option.unit === "bytes" ? /^(\d{1,16}) ?(|KiB|MiB|GiB)$/.exec(text) : /^(\d{1,16})()$/.exec(text);
  if (match === null) throw usage(where, `${where} must be ${describeValues(option)}, not ${JSON.stringify(text)}.`);
  return Number(match[1]) * byteUnits[match[2]!]!;
}

/** What an option takes, as the end of a sentence: "a whole number from 0 to 65535". */
export function describeValues(option: Option): string {
  if (option.values !== undefined) return option.values;
  if (option.words !== undefined) return `one of ${option.words.join(", ")}`;
  if (option.kind === "boolean") return "true or false";
  if (option.kind === "list") return "a list of texts that are not empty";
  if (option.kind === "string") return "a text";
  const unit = option.unit === undefined ? "" : option.unit === "bytes" ? " of bytes (KiB, MiB and GiB may follow)" : ` of ${option.unit}`;
  const lowest = option.exclusiveMinimum === undefined ? `from ${option.minimum ?? 0}` : `above ${option.exclusiveMinimum}`;
  const highest = option.maximum === undefined || option.maximum === Number.MAX_SAFE_INTEGER ? "" : ` to ${option.maximum}`;
  return `a ${option.kind === "number" ? "number" : "whole number"}${unit} ${lowest}${highest}`;
}

/** The value, where the option takes it. @param where names it in the error, as its user spells it. */
export function checkValue(option: Option, value: unknown, where: string): unknown {
  if (Value.Check(option.schema, value)) return value;
  if (option.secret === true)
    throw usage(where, `${where} must be keys of printable ASCII characters without spaces (the value is not shown).`);
  const suggestion = option.words === undefined || typeof value !== "string" ? "" : didYouMean(value, option.words);
  throw usage(where, `${where} must be ${describeValues(option)}, not ${JSON.stringify(value)}.${suggestion}`);
}
