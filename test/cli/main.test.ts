/** @file The program's entry: the list of commands, and what it says about a word that is none. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { projectRoot } from "../../src/catalog/project-root.ts";

const bonsai = (...words: string[]): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, ["--import", "tsx", join(projectRoot(), "src/cli/main.ts"), ...words], { encoding: "utf8" });

describe("bonsai", () => {
  test("lists with --help every command that package.json has a script for", () => {
    const { scripts } = JSON.parse(readFileSync(join(projectRoot(), "package.json"), "utf8")) as { scripts: Record<string, string> };
    const named = Object.values(scripts).flatMap((script) => /\bmain\.[jt]s (\S+)$/.exec(script)?.[1] ?? []);
    const { status, stdout, stderr } = bonsai("--help");
    assert.deepEqual([status, stderr], [0, ""]);
    const listed = [...String(stdout).matchAll(/^ {2}(\S+) +\S/gm)].map((match) => match[1]!);
    assert.deepEqual(listed.toSorted(), named.toSorted());
  });

  test("says what was probably meant by a command that it does not have, and exits with 2", () => {
    const { status, stdout, stderr } = bonsai("evalute", "policy");
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(String(stderr), /^There is no command "evalute"\. Did you mean evaluate\?\nUsage: bonsai COMMAND/);
    const nothing = bonsai();
    assert.deepEqual([nothing.status, nothing.stdout], [2, ""]);
    assert.match(String(nothing.stderr), /^Usage: bonsai COMMAND/);
  });
});
