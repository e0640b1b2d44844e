/**
 * @file A command's options from one schema: what is given, what stands for nothing, what is missing, words beside the
 * flags, and --help.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Type } from "typebox";
import { commandHelp, readCommand, type CommandDescription } from "../../src/config/command-options.ts";
import { annotations, oneOf } from "../../src/config/option.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";

const annotate = annotations<"Input" | "Output">();

const schema = Type.Object({
  model: Type.String(annotate({ group: "Input", metavar: "NAME", description: "The model", whenMissing: "Name the model: --model NAME." })),
  limit: Type.Optional(Type.Integer({ minimum: 1, ...annotate({ group: "Input", description: "Rows", defaultText: "all" }) })),
  form: oneOf(["pairs", "lists"] as const, annotate({ group: "Input", description: "The form", default: "pairs" })),
  judge: Type.Array(Type.String({ minLength: 1 }), annotate({ group: "Input", metavar: "JUDGE", description: "Who judges" })),
  outputDir: Type.String({
    pattern: "^/",
    ...annotate({ group: "Output", metavar: "DIR", values: "an absolute path", description: "The folder", default: "/out" }),
  }),
});

const command: CommandDescription<typeof schema> = {
  name: "sort",
  about: "Sort rows.",
  usage: ["FILE --model NAME [options]"],
  words: { metavar: "FILE", description: "The rows.", minimum: 1, maximum: 2, whenWrong: "Name one file or two." },
  schema,
  notes: ["The rows stay as they are."],
};

const read = (...args: string[]) => readCommand(command, args);

function refused(args: readonly string[], message: string, param: string): void {
  assert.throws(
    () => read(...args),
    (error) => error instanceof BonsaiError && error.code === "usage" && error.message === message && error.param === param,
  );
}

describe("a command's options", () => {
  it("are what is given, with defaults for the rest; an optional one that is not given is absent", () => {
    assert.deepEqual(read("rows", "--judge", "a", "--model=m", "--judge", "b"), {
      kind: "run",
      options: { model: "m", form: "pairs", judge: ["a", "b"], outputDir: "/out" },
      words: ["rows"],
    });
    const invocation = read("one", "--model", "m", "--judge", "a", "two", "--limit", "3", "--form", "lists", "--output-dir", "/here");
    assert.deepEqual(invocation, {
      kind: "run",
      options: { model: "m", limit: 3, form: "lists", judge: ["a"], outputDir: "/here" },
      words: ["one", "two"],
    });
  });

  it("are refused where one is missing or wrong, and so are too few or too many words", () => {
    refused(["rows", "--judge", "a"], "Name the model: --model NAME.", "--model");
    refused(["rows", "--model", "m"], "--judge JUDGE must be given: --help lists the options.", "--judge");
    refused(["--model", "m", "--judge", "a"], "Name one file or two. --help lists the options.", "FILE");
    refused(["a", "b", "c", "--model", "m", "--judge", "a"], "Name one file or two. --help lists the options.", "FILE");
    refused(["rows", "--limit", "0"], "--limit must be a whole number from 1, not 0.", "--limit");
    refused(["rows", "--form", "pair"], '--form must be one of pairs, lists, not "pair". Did you mean pairs?', "--form");
    refused(["rows", "--output-dir", "here"], '--output-dir must be an absolute path, not "here".', "--output-dir");
    refused(["rows", "--modle", "m"], "Unknown option --modle. Did you mean --model? --help lists all of them.", "--modle");
  });

  it("may be asked for without what must be given", () => {
    assert.deepEqual(read("--help"), { kind: "help" });
    assert.deepEqual(read("-v", "rows"), { kind: "version" });
  });

  it("are listed by group in --help, with what they take and stand for", () => {
    assert.equal(
      commandHelp(command),
      `Sort rows.

Usage: npm run sort -- FILE --model NAME [options]

  FILE
        The rows.

Input:
  --model NAME
        The model. Default: none, it must be given.
  --limit N
        Rows. Default: all.
  --form pairs|lists
        The form. Default: pairs.
  --judge JUDGE
        Who judges. Default: none, it must be given.

Output:
  --output-dir DIR
        The folder. Default: /out.

Other:
  --help, -h
        Print this text.
  --version, -v
        Print the version.

The rows stay as they are.
`,
    );
  });
});
