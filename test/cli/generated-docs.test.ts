/** @file The committed documents are those that the code writes. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { errorsMarkdown, generateDocs } from "../../src/cli/generated-docs.ts";
import { licencesMarkdown } from "../../src/cli/licences.ts";
import { projectRoot } from "../../src/catalog/project-root.ts";
import { registry } from "../../src/errors/registry.ts";

describe("generated documents", () => {
  test("are committed as the code writes them", async () => {
    for (const [path, content] of await generateDocs()) {
      const file = join(projectRoot(), path);
      assert.ok(existsSync(file) && readFileSync(file, "utf8") === content, `${path} is out of date: npm run docs`);
    }
  });

  test("list dependencies under permissive licences only, none of them without one", () => {
    const permissive = new Set([
      "MIT",
      "ISC",
      "BSD-2-Clause",
      "BSD-3-Clause",
      "0BSD",
      "Apache-2.0",
      "BlueOak-1.0.0",
      "Unlicense",
      "CC0-1.0",
    ]);
    const rows = licencesMarkdown(readFileSync(join(projectRoot(), "package-lock.json"), "utf8")).matchAll(
      /^\| (\S+) \| \S+ \| (.+) \|$/gm,
    );
    const others = [...rows].filter(
      ([, name, licence]) =>
        name !== "package" &&
        name !== "---" &&
        !licence!
          .replaceAll(/[()]/g, "")
          .split(/ AND | OR /)
          .every((one) => permissive.has(one)),
    );
    assert.deepEqual(
      others.map(([row]) => row),
      [],
    );
  });

  test("name every error code once", () => {
    const codes = [...errorsMarkdown().matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1]);
    assert.deepEqual(codes, Object.keys(registry));
  });
});
