/**
 * @file The shape of the house: which folder may import which, no cycles, no vague names, files that can be read in one
 * sitting.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { describe, test } from "node:test";
import { findCycle, importsOf, projectFiles, readProjectFile, root, sourceFolders } from "./project-files.ts";

/** The folders of src/, in the order of dependence: a folder imports only from those before it. */
const order =
  "errors config progress tensor onnx autodiff formats random statistics text architectures runtime engine reward catalog judges best-of-n teddy training preferences evaluation protocol server cli".split(
    " ",
  );

/** The folders of src/teddy/, in the order of dependence. */
const teddyOrder = "language advice world writer judge".split(" ");

/** Folders of test/ that are not the mirror of a folder of src/. */
const testFolders = new Set(["architecture", "bench", "docs", "e2e", "fixtures", "loadtest", "oracle"]);

const code = ["src", "scripts", "test", "loadtest"]
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((folder) => projectFiles(folder));
const typescript = code.filter((path) => path.endsWith(".ts"));
const source = typescript.filter((path) => path.startsWith("src/"));
const folderOf = (path: string): string => path.split("/")[1] ?? "";

/** Fails with every offence, not only the first. */
function assertNone(offences: readonly string[], rule: string): void {
  assert.deepEqual(offences, [], `${rule}:\n  ${offences.join("\n  ")}`);
}

describe("the folders of src/", () => {
  test("are those that the order of dependence names", () => {
    assertNone(
      sourceFolders().filter((folder) => !order.includes(folder)),
      "A new folder needs a place in the order, here and in ARCHITECTURE.md",
    );
  });

  test("import only from those above them", () => {
    const offences = source.flatMap((path) =>
      importsOf(path)
        .files.filter((target) => !target.startsWith("src/") || order.indexOf(folderOf(target)) > order.indexOf(folderOf(path)))
        .map((target) => `${path} imports ${target}`),
    );
    assertNone(offences, "Arrows point upwards in the table of ARCHITECTURE.md only");
  });

  test("are described in ARCHITECTURE.md in that order, each and no others", () => {
    const table = /## The folders of `src\/`\n([^]*?)\n## /.exec(readProjectFile("ARCHITECTURE.md"))?.[1] ?? "";
    const documented = [...table.matchAll(/^\| `([a-z-]+)\/` \|/gm)].map((match) => match[1] ?? "");
    const existing = order.filter((folder) => sourceFolders().includes(folder));
    assert.deepEqual(documented, existing);
  });

  test("hold at most some twenty files each", () => {
    const most = 24;
    const counts = new Map<string, number>();
    for (const path of source) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
    const offences = [...counts].filter(([, files]) => files > most).map(([folder, files]) => `${folder} has ${files} files`);
    assertNone(offences, `At most ${most} files in a folder`);
  });

  test("have no files between them", () => {
    assertNone(
      source.filter((path) => path.split("/").length < 3),
      "Every source file lies in a folder",
    );
  });
});

describe("src/protocol/wire/", () => {
  test("knows the engine no more than a client does: it imports errors and the configuration only", () => {
    const offences = source
      .filter((path) => path.startsWith("src/protocol/wire/"))
      .flatMap((path) => importsOf(path).files.map((target) => ({ path, target })))
      .filter(({ target }) => !/^src\/(errors|config|protocol\/wire)\//.test(target))
      .map(({ path, target }) => `${path} imports ${target}`);
    assertNone(offences, "Schemas and types of the protocol depend on nothing that runs models");
  });
});

describe("the folders of src/teddy/", () => {
  test("import only from those before them", () => {
    const place = (path: string): number => teddyOrder.indexOf(path.split("/")[2] ?? "");
    const inTeddy = (path: string): boolean => path.startsWith("src/teddy/");
    const offences = source
      .filter(inTeddy)
      .flatMap((path) => importsOf(path).files.map((target) => ({ path, target })))
      .filter(({ path, target }) => inTeddy(target) && (place(path) < 0 || place(target) > place(path)))
      .map(({ path, target }) => `${path} imports ${target}`);
    assertNone(offences, `Their order is ${teddyOrder.join(", ")}`);
  });
});

describe("folders beside src/", () => {
  test("import nothing of test/", () => {
    const offences = typescript
      .filter((path) => !path.startsWith("test/"))
      .flatMap((path) => importsOf(path).files.map((target) => ({ path, target })))
      .filter(({ target }) => target.startsWith("test/"))
      .map(({ path, target }) => `${path} imports ${target}`);
    assertNone(offences, "Tests import what they check, and nothing imports tests");
  });
});

describe("source files", () => {
  test("never import each other in a circle", () => {
    const edges = new Map(source.map((path) => [path, importsOf(path).files]));
    assert.deepEqual(findCycle(edges), undefined);
  });

  test("of the server reach nothing of the teddy world", () => {
    const reached = new Set(["src/cli/commands/serve.ts", "src/engine/worker/compute-worker.ts"]);
    for (const path of reached) for (const target of importsOf(path).files) reached.add(target);
    assertNone(
      [...reached].filter((path) => path.startsWith("src/teddy/")),
      "Serving needs no world of its own",
    );
  });

  test("import packages that the program depends on, not those of its tests", () => {
    const { dependencies } = JSON.parse(readProjectFile("package.json")) as { dependencies: Record<string, string> };
    const program = [...source, ...typescript.filter((path) => path.startsWith("scripts/"))];
    const offences = program.flatMap((path) =>
      importsOf(path)
        .packages.filter((name) => !Object.hasOwn(dependencies, name))
        .map((name) => `${path} imports ${name}`),
    );
    assertNone(offences, "Only `dependencies` of package.json are there when the program runs");
  });

  test("open with one sentence about what they are", () => {
    const offences = typescript.filter((path) => !/^(#!.*\n)?\/\*\*\s+(\* )?@file \S/.test(readProjectFile(path)));
    assertNone(offences, "A file opens with /** @file … */");
  });

  test("can be read in one sitting", () => {
    const longest = 350;
    const offences = typescript
      .filter((path) => !path.startsWith("test/"))
      .map((path) => ({ path, lines: readProjectFile(path).split("\n").length }))
      .filter(({ lines }) => lines > longest)
      .map(({ path, lines }) => `${path} has ${lines} lines`);
    assertNone(offences, `At most ${longest} lines`);
  });

  test("have comments of lines that are short enough to read", () => {
    const longest = 120;
    const comment = /^\s*(\/\/|\/?\*)/;
    const offences = typescript.flatMap((path) =>
      readProjectFile(path)
        .split("\n")
        .map((line, index) => ({ line, place: `${path}:${index + 1}` }))
        .filter(({ line }) => line.length > longest && comment.test(line) && !line.includes("://"))
        .map(({ line, place }) => `${place} has ${line.length} characters`),
    );
    assertNone(offences, `At most ${longest} characters in a line of a comment`);
  });

  test("are named after what is in them, in kebab case", () => {
    const vague =
      /^(utils?|helpers?|common|misc|shared|stuff|lib|tools?|functions?|constants|types|index|base|core|general|other|temp|new|old)(\.|$)/;
    const offences = code.filter(
      (path) =>
        path.split("/").some((part) => vague.test(part)) || (path.endsWith(".ts") && !/^[a-z0-9][a-z0-9.-]*\.ts$/.test(basename(path))),
    );
    assertNone(offences, "A name says what is inside");
  });
});

describe("tests", () => {
  test("mirror the folders of src/", () => {
    const folders = new Set(typescript.filter((path) => path.startsWith("test/")).map(folderOf));
    assertNone(
      [...folders].filter((folder) => !order.includes(folder) && !testFolders.has(folder)),
      "A folder of test/ is named as the folder of src/ whose behaviour it checks",
    );
  });
});

describe("the project's text", () => {
  // Written in parts, so that this file does not hold what it looks for.
  const forbidden: [string, RegExp][] = [
    [
      "a package registry's host",
      new RegExp(["registry\\.npm", "js\\.org|pypi\\.", "org|files\\.python", "hosted|deb\\.debian\\."].join("")),
    ],
    ["a path of one machine", new RegExp(["(?<![\\w.])/(wo", "rk|ro", "ot|ho", "me|Us", "ers)/"].join(""))],
    ["unfinished work", new RegExp(["\\bTO", "DO\\b|\\bFIX", "ME\\b|\\bXX", "X\\b"].join(""))],
  ];
  for (const [what, pattern] of forbidden) {
    test(`holds no ${what.replace(/^an? /, "")}`, () => {
      const offences = projectFiles().flatMap((path) =>
        readProjectFile(path)
          .split("\n")
          .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} holds ${what}`] : [])),
      );
      assertNone(offences, "Found");
    });
  }

  test("links only to files that are there, and to headings that they have", () => {
    const headings = (path: string): string[] =>
      [...readProjectFile(path).matchAll(/^#+ (.*)$/gm)].map((match) =>
        (match[1] ?? "")
          .toLowerCase()
          .replaceAll(/[^\w\- ]/g, "")
          .replaceAll(" ", "-"),
      );
    const offences = projectFiles()
      .filter((path) => path.endsWith(".md"))
      .flatMap((path) =>
        [...readProjectFile(path).matchAll(/\]\(([^)\s]+)\)/g)]
          .map((match) => match[1] ?? "")
          .filter((target) => !/^[a-z]+:/.test(target))
          .filter((target) => {
            const [file = "", anchor] = target.split("#");
            const linked = file === "" ? path : posix.join(dirname(path), file);
            return !existsSync(join(root, linked)) || (anchor !== undefined && !headings(linked).includes(anchor));
          })
          .map((target) => `${path} links to ${target}`),
      );
    assertNone(offences, "Broken links");
  });
});

describe("the lockfile", () => {
  const lock = JSON.parse(readProjectFile("package-lock.json")) as {
    packages: Record<string, { resolved?: string; integrity?: string; optionalDependencies?: Record<string, string> }>;
  };

  test("names no place to fetch packages from, so that every machine uses its own, and pins the content of each", () => {
    const packages = Object.entries(lock.packages).filter(([path]) => path !== "");
    assertNone(
      packages.filter(([, entry]) => entry.resolved !== undefined || entry.integrity === undefined).map(([path]) => path),
      "npm writes the lockfile so with omit-lockfile-registry-resolved",
    );
  });

  test("holds the parts of every package for all platforms, without which npm ci refuses it", () => {
    const offences = Object.entries(lock.packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {})
        .filter(
          (name) => !Object.hasOwn(lock.packages, `${path}/node_modules/${name}`) && !Object.hasOwn(lock.packages, `node_modules/${name}`),
        )
        .map((name) => `${path} lacks ${name}`),
    );
    assertNone(offences, "A registry did not have all of a package's parts yet: pin the version before it");
  });
});

describe("the search for imports", () => {
  test("sees every way to import a file or a package, and none in comments", () => {
    const content = `/** import { a } from "./a.ts"; */
      import "./b.ts"; import fs from "node:fs";
      import {
        c,
        type D,
      } from "../errors/c.ts"; // import x from "./x.ts"
      import type { E } from "@scope/name/deep";
      export * from "./e.ts";
      const f = await import("./f.ts");
      new Worker(new URL("./g.ts", import.meta.url));
      import h, { i } from "h/i.js";`;
    const { files, packages } = importsOf("src/engine/sample.ts", content);
    assert.deepEqual(files.toSorted(), ["src/engine/b.ts", "src/engine/e.ts", "src/engine/f.ts", "src/engine/g.ts", "src/errors/c.ts"]);
    assert.deepEqual(packages.toSorted(), ["@scope/name", "h"]);
  });
});

describe("the search for cycles", () => {
  test("finds one wherever it is, and none in a graph without", () => {
    const edges = (text: string): Map<string, string[]> =>
      new Map(text.split(" ").map((part) => [part.slice(0, 1), part.slice(1).split("")]));
    assert.equal(findCycle(edges("abc bc cd d")), undefined);
    assert.deepEqual(findCycle(edges("ab bcd c dea ef f")), ["a", "b", "d", "a"]);
    assert.deepEqual(findCycle(edges("ab b cc")), ["c", "c"]);
  });
});
