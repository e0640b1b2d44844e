/** @file The committed documents are those that the code writes. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { errorsMarkdown, generateDocs } from "../../src/cli/generated-docs.ts";
import { projectRoot } from "../../src/catalog/project-root.ts";
import { registry } from "../../src/errors/registry.ts";

describe("generated documents", () => {
  test("are committed as the code writes them", async () => {
    for (const [path, content] of await generateDocs()) {
      const file = join(projectRoot(), path);
      assert.ok(existsSync(file) && readFileSync(file, "utf8") === content, `${path} is out of date: npm run docs`);
    }
  });

  test("name every error code once", () => {
    const codes = [...errorsMarkdown().matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1]);
    assert.deepEqual(codes, Object.keys(registry));
  });
});
