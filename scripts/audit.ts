/** @file Known vulnerabilities of the packages that run with the program: `npm run audit`, which CI runs too. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../src/catalog/project-root.ts";
import { judgeAudit, type AcceptedAdvisory } from "./audit/judge-audit.ts";

const root = projectRoot();
const accepted = JSON.parse(readFileSync(join(root, "scripts/audit/accepted.json"), "utf8")) as AcceptedAdvisory[];
const { stdout } = spawnSync("npm", ["audit", "--omit=dev", "--json"], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 1 << 28,
  timeout: 120_000,
});
const { lines, passed, failed, skipped } = judgeAudit(stdout, accepted);
for (const line of lines) console.log(line);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
