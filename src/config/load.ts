/**
 * @file From flags, environment and config file to one checked configuration; flags win over the environment, the
 * environment over the file.
 */

import { readFileSync, statSync } from "node:fs";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { checkValue, fromText, readFlags, usage } from "./command-line.ts";
import { defaultConfig, options, supportedDevices, type Config } from "./options.ts";
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
 * @throws BonsaiError `usage` with the flag, variable or key at fault; values of secret options are never in the
 * message.
 */
export function loadConfig(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Invocation {
  const commandLine = readFlags(args, options, ["config"]);
  if (commandLine.kind !== "values") return commandLine;
  const warnings: string[] = [];
  const fromEnvironment = readEnvironment(environment, warnings);
  const file = commandLine.others.get("config") ?? environment["BONSAI_CONFIG"];
  const fromFile = file === undefined || file === "" ? {} : readConfigFile(file);
  const config: Config = { ...defaultConfig(), ...fromFile, ...fromEnvironment, ...(commandLine.values as Partial<Config>) };
  if (!supportedDevices.includes(config.device)) {
    throw usage("--device", `--device ${config.device} is not supported by this version: use ${supportedDevices.join(" or ")}.`);
  }
  return { kind: "run", config, warnings };
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
      return [[option.name, checkValue(option, value, option.variable)]];
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
      if (option.kind === "list" && typeof value === "string") return [option.name, checkValue(option, [value], where)];
      if (option.unit === "bytes" && typeof value === "string")
        return [option.name, checkValue(option, fromText(option, value, where), where)];
      return [option.name, checkValue(option, value, where)];
    }),
  );
}
