/** @file The options as text: --help, docs/CONFIG.md, and the configuration that the log may show. */

import { describeValues } from "./command-line.ts";
import type { Option } from "./option.ts";
import { optionGroups, options, type Config } from "./options.ts";

/** 268435456 as "256 MiB". */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size} ${unit}`;
  }
  return `${bytes} bytes`;
}

function formatDefault(option: Option): string {
  if (option.defaultText !== undefined) return option.defaultText;
  if (option.default === undefined) return option.isRequired ? "none, it must be given" : "none";
  if (option.unit === "bytes") return formatBytes(option.default as number);
  const value = String(option.default);
  return option.unit === undefined ? value : `${value} ${option.unit}`;
}

/** What follows the flag in --help: a blank and the value's name, or nothing. */
export function metavar(option: Option): string {
  if (option.kind === "boolean") return "";
  return ` ${option.words?.join("|") ?? option.metavar ?? option.unit?.toUpperCase() ?? (option.kind === "integer" || option.kind === "number" ? "N" : "TEXT")}`;
}

/** Breaks text at spaces into lines of at most `width` characters. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** An entry of --help. */
function entry(head: string, text: string): string[] {
  return [`  ${head}`, ...wrap(text, 96).map((line) => `        ${line}`)];
}

/** The options of --help by group, and the flags that every command has. */
export function optionLines(
  groups: readonly string[],
  listed: readonly Option[],
  { withVariables, others }: { withVariables: boolean; others: readonly (readonly [head: string, text: string])[] },
): string[] {
  const lines: string[] = [];
  for (const group of groups) {
    lines.push("", `${group}:`);
    for (const option of listed.filter((candidate) => candidate.group === group)) {
      const variable = withVariables ? ` [${option.variable}]` : "";
      lines.push(...entry(`--${option.flag}${metavar(option)}`, `${option.description}. Default: ${formatDefault(option)}.${variable}`));
    }
  }
  lines.push(
    "",
    "Other:",
    ...[...others, ["--help, -h", "Print this text."], ["--version, -v", "Print the version."]].flatMap(([head = "", text = ""]) =>
      entry(head, text),
    ),
  );
  return lines;
}

/** The text of `npm start -- --help`. */
export function helpText(): string {
  const config = [
    "--config FILE",
    "Config file, a JSON object whose keys are the options' names without dashes in front. [BONSAI_CONFIG]",
  ] as const;
  const lines = [
    "Serve language models over the OpenAI protocol.",
    "",
    "Usage: npm start -- [options]",
    "",
    "Each option can also be an environment variable or a key of the config file; the command line wins over",
    "the environment, and the environment over the file. In the environment, commas separate the values of a list.",
    ...optionLines(optionGroups, options, { withVariables: true, others: [config] }),
  ];
  return `${lines.join("\n")}\n`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** The text of docs/CONFIG.md. */
export function configMarkdown(): string {
  const lines = [
    "# Configuration",
    "",
    "Generated from `src/config/options.ts`; do not edit.",
    "",
    "Each option is a flag of `npm start -- …`, an environment variable, and a key of the JSON file that `--config FILE` (or `BONSAI_CONFIG`) names.",
    "Flags win over the environment, the environment over the file, the file over the defaults. A list is a repeated flag, a comma-separated variable, or a JSON array.",
    "Sizes in bytes take the suffixes KiB, MiB and GiB.",
  ];
  for (const group of optionGroups) {
    lines.push("", `## ${group}`, "", "| flag and key | variable | values | default | what |", "| --- | --- | --- | --- | --- |");
    for (const option of options.filter((candidate) => candidate.group === group)) {
      const cells = [
        `\`--${option.flag}\``,
        `\`${option.variable}\``,
        describeValues(option),
        formatDefault(option),
        `${option.description}.`,
      ];
      lines.push(`| ${cells.map(cell).join(" | ")} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The configuration by flag, without secrets: those show only how many there are. */
export function publicConfig(config: Config): Record<string, unknown> {
  return Object.fromEntries(
    options.map((option) => {
      const value = config[option.name];
      return [option.flag, option.secret === true ? `${(value as unknown[]).length} set` : value];
    }),
  );
}
