/** @file The written documents name what there is: commands of package.json, and options that these know. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { before, describe, test } from "node:test";
import { commands, inProject, readDocument, snippets } from "./markdown.ts";

const texts = ["SERVING", "BEST-OF-N", "TRAINING"].map((name) => `docs/${name}.md`);
const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ...texts];
const { scripts } = JSON.parse(readDocument("package.json")) as { scripts: Record<string, string> };

interface Command {
  line: string;
  /** NAME of `npm run NAME` or `npm NAME`. */
  script: string;
  /** Words that the program gets before its options: a command of its own, such as "policy". */
  words: string[];
  flags: string[];
}

function readCommand(line: string): Command {
  const [npm, parameters = ""] = line.split(" -- ") as [string, string?];
  const script = /^npm (?:run )?(\S+)$/.exec(npm)?.[1] ?? "";
  const [first = "", ...rest] = parameters.split(/\s+/);
  const hasSubcommand = script === "evaluate" || (script === "collect" && first === "split");
  return { line, script, words: hasSubcommand ? [first] : [], flags: [first, ...rest].filter((word) => word.startsWith("--")) };
}

const commandsOf = (document: string): Command[] =>
  snippets(readDocument(document))
    .filter(({ language }) => language === "sh")
    .flatMap(commands)
    .flatMap((line) => line.split(" && "))
    .filter((line) => line.startsWith("npm ") && line !== "npm ci")
    .map(readCommand);

/** Words of bonsai's own command line; undefined for a script that is another program. */
function bonsaiWords({ script, words }: Command): string[] | undefined {
  const name = script === "start" ? "serve" : /^node --import tsx src\/cli\/main\.ts (\S+)$/.exec(scripts[script] ?? "")?.[1];
  return name === undefined ? undefined : [name, ...words];
}

function outputOf(command: string, input = ""): string {
  const { stdout, stderr, status } = spawnSync(command, { cwd: inProject("."), shell: true, encoding: "utf8", input });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** The help of several command lines, from one process, since each would load the same modules. */
function bonsaiHelps(commandLines: readonly string[]): Map<string, string> {
  const end = "\n-- end of a help --\n";
  const program = `
    for (const line of ${JSON.stringify(commandLines)}) {
      process.argv = [process.argv[0], "bonsai", ...line.split(" "), "--help"];
      await import(\`\${process.cwd()}/src/cli/main.ts?\${line}\`);
      console.log(${JSON.stringify(end)});
    }`;
  const helps = outputOf("node --import tsx --input-type=module -", program).split(end);
  return new Map(commandLines.map((line, index) => [line, helps[index]!]));
}

describe("the commands of the written documents", () => {
  const helps = new Map<string, string>();
  const keyOf = (command: Command): string => bonsaiWords(command)?.join(" ") ?? `npm run ${command.script}`;

  before(() => {
    const all = documents.flatMap(commandsOf).filter(({ flags, script }) => flags.length > 0 && scripts[script] !== undefined);
    for (const [key, help] of bonsaiHelps([...new Set(all.filter(bonsaiWords).map(keyOf))])) helps.set(key, help);
    for (const script of new Set(all.filter((command) => bonsaiWords(command) === undefined).map((command) => command.script)))
      helps.set(`npm run ${script}`, outputOf(`${scripts[script]} --help`));
  });

  for (const document of documents) {
    test(`${document}: they exist and know their options`, () => {
      for (const command of commandsOf(document)) {
        assert.ok(scripts[command.script] !== undefined, `${command.line}: package.json has no such script`);
        for (const flag of command.flags) assert.match(helps.get(keyOf(command))!, new RegExp(`${flag}(?![\\w-])`), command.line);
      }
    });
    test(`${document}: those in its text exist`, () => {
      for (const [, name] of readDocument(document).matchAll(/`npm run ([\w:]+)/g)) assert.ok(scripts[name!] !== undefined, name);
    });
  }
});
