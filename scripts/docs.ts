/** @file Writes the generated documents of docs/: `npm run docs`. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateDocs } from "../src/cli/generated-docs.ts";
import { projectRoot } from "../src/catalog/project-root.ts";

for (const [path, content] of await generateDocs()) {
  writeFileSync(join(projectRoot(), path), content);
  console.log(path);
}
