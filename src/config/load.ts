/** @file From flags, environment and config file to one checked configuration; flags win over the environment, the environment over the file. */

import { readFileSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import { Value } from "typebox/value";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { defaultConfig, options, supportedDevices, type Config, type Option } from "./options.ts";
import { didYouMean } from "./suggestion.ts";

/** Largest config file that is read. */
const configFileLimitBytes = 1024 * 1024;

/** What the command line asks for. */
export type Invocation =
  | { kind: "help" }
  | { kind: "version" }
  | { kind: "run"; config: Config; /** Oddities worth a line on stderr. */ warnings: string[] };

/**
 * Reads the options of `bonsai serve`.
 * @param args Words after the command.
 * @param environment Usually `process.env`.
 * @throws BonsaiError `usage` with the flag, variable or key at fault; values of secret options are never in the message.
 */
export function loadConfig(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Invocation {
  const commandLine = readFlags(args);
  if (commandLine.kind !== "values") return commandLine;
  const warnings: string[] = [];
  const fromEnvironment = readEnvironment(environment, warnings);
  const file = commandLine.configFile ?? environment["BONSAI_CONFIG"];
  const fromFile = file === undefined || file === "" ? {} : readConfigFile(file);
  const config: Config = { ...defaultConfig(), ...fromFile, ...fromEnvironment, ...commandLine.values };
  if (!supportedDevices.includes(config.device)) {
    throw usage("--device", `--device ${config.device} is not supported by this version: use ${supportedDevices.join(" or ")}.`);
  }
  return { kind: "run", config, warnings };
}

const usage = (param: string, message: string, cause?: unknown): BonsaiError => new BonsaiError("usage", message, { param, cause });

type FlagValues = { kind: "help" } | { kind: "version" } | { kind: "values"; values: Partial<Config>; configFile: string | undefined };

function readFlags(args: readonly string[]): FlagValues {
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: {
      help: { type: "boolean", short: "h" },
      version: { type: "boolean", short: "v" },
      config: { type: "string" },
      ...Object.fromEntries(
        options.map((option) => [
          option.flag,
          { type: option.kind === "boolean" ? ("boolean" as const) : ("string" as const), multiple: true },
        ]),
      ),
    },
  });
  const known = ["--help", "--version", "--config", ...options.map((option) => `--${option.flag}`)];
  const texts = new Map<Option, { name: string; texts: string[] }>();
  let configFile: string | undefined;
  let wanted: "help" | "version" | undefined;
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
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
    if (option === undefined && flag !== "config")
      throw usage(token.rawName, `Unknown option ${token.rawName}.${didYouMean(token.rawName, known)} --help lists all of them.`);
    if (option?.kind !== "boolean" && (token.value === undefined || (!token.inlineValue && token.value.startsWith("--")))) {
      throw usage(
        token.rawName,
        `${token.rawName} needs a value${option?.metavar === undefined ? "" : `: ${token.rawName} ${option.metavar}`}.`,
      );
    }
    if (option === undefined) {
      configFile = token.value;
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
        check(option, option.kind === "list" ? entry.texts : fromText(option, entry.texts[0]!, `--${option.flag}`), `--${option.flag}`),
      ];
    }),
  ) as Partial<Config>;
  return { kind: "values", values, configFile };
}

/** Variables starting with BONSAI_ that the program reads elsewhere. */
const otherVariables = ["BONSAI_CONFIG"];

function readEnvironment(environment: Readonly<Record<string, string | undefined>>, warnings: string[]): Partial<Config> {
  const known = [...otherVariables, ...options.map((option) => option.variable)];
  for (const name of Object.keys(environment)) {
    if (name.startsWith("BONSAI_") && !known.includes(name))
      warnings.push(`The environment variable ${name} is not an option and was ignored.${didYouMean(name, known)}`);
  }
  return Object.fromEntries(
    options.flatMap((option) => {
      const text = environment[option.variable];
      if (text === undefined || text === "") return [];
      const value =
        option.kind === "list"
          ? text
              .split(",")
              .map((part) => part.trim())
              .filter((part) => part !== "")
          : fromText(option, text, option.variable);
      return [[option.name, check(option, value, option.variable)]];
    }),
  );
}

function readConfigFile(path: string): Partial<Config> {
  let text: string;
  try {
    if (statSync(path).size > configFileLimitBytes)
      throw usage("--config", `The config file ${path} is larger than ${configFileLimitBytes} bytes.`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof BonsaiError) throw error;
    throw usage("--config", `The config file ${path} cannot be read: ${(error as Error).message}`, error);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    // The parser's message quotes the text around the fault, where a key may stand: it is neither shown nor kept.
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    throw usage("--config", `The config file ${path} is not valid JSON${position === undefined ? "" : ` (at character ${position})`}.`);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw usage("--config", `The config file ${path} must hold one JSON object, such as {"port": 8000}.`);
  const known = options.map((option) => option.flag);
  return Object.fromEntries(
    Object.entries(content).map(([key, value]) => {
      const option = options.find((candidate) => candidate.flag === key);
      if (option === undefined) throw usage(key, `Unknown key ${JSON.stringify(key)} in the config file ${path}.${didYouMean(key, known)}`);
      const where = `${JSON.stringify(key)} in ${path}`;
      if (option.kind === "list" && typeof value === "string") return [option.name, check(option, [value], where)];
      if (option.unit === "bytes" && typeof value === "string") return [option.name, check(option, fromText(option, value, where), where)];
      return [option.name, check(option, value, where)];
    }),
  );
}

const byteUnits: Readonly<Record<string, number>> = { "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A flag's or variable's text as the value that its option takes. */
function fromText(option: Option, text: string, where: string): unknown {
  if (option.kind === "boolean") {
    if (text === "true" || text === "1") return true;
    if (text === "false" || text === "0") return false;
    throw usage(where, `${where} must be true or false, not ${JSON.stringify(text)}.`);
  }
  if (option.kind !== "integer") return text;
  const match = option.unit === "bytes" ? /^(\d{1,16}) ?(|KiB|MiB|GiB)$/.exec(text) : /^(\d{1,16})()$/.exec(text);
  if (match === null) throw usage(where, `${where} must be ${describeValues(option)}, not ${JSON.stringify(text)}.`);
  return Number(match[1]) * byteUnits[match[2]!]!;
}

/** What an option takes, as the end of a sentence: "a whole number from 0 to 65535". */
export function describeValues(option: Option): string {
  if (option.words !== undefined) return `one of ${option.words.join(", ")}`;
  if (option.kind === "boolean") return "true or false";
  if (option.kind === "list") return "a list of texts that are not empty";
  if (option.kind === "string") return "a text";
  const unit = option.unit === undefined ? "" : option.unit === "bytes" ? " of bytes (KiB, MiB and GiB may follow)" : ` of ${option.unit}`;
  return `a whole number${unit} from ${option.minimum ?? 0}${option.maximum === undefined || option.maximum === Number.MAX_SAFE_INTEGER ? "" : ` to ${option.maximum}`}`;
}

function check(option: Option, value: unknown, where: string): unknown {
  if (Value.Check(option.schema, value)) return value;
  if (option.secret === true)
    throw usage(where, `${where} must be keys of printable ASCII characters without spaces (the value is not shown).`);
  const suggestion = option.words === undefined || typeof value !== "string" ? "" : didYouMean(value, option.words);
  throw usage(where, `${where} must be ${describeValues(option)}, not ${JSON.stringify(value)}.${suggestion}`);
}
