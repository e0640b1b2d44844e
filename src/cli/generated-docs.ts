/**
 * @file The documents that are written from code: error codes, options, the OpenAPI description of the routes, and the
 * licences of dependencies.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configMarkdown } from "../config/describe.ts";
import { defaultConfig } from "../config/options.ts";
import type { Engine } from "../engine/contract/request.ts";
import { registry } from "../errors/registry.ts";
import { buildServer } from "../server/build-server.ts";
import { programVersion, projectRoot } from "../catalog/project-root.ts";
import { licencesMarkdown } from "./licences.ts";

/** Path (relative to the project) to content of every generated document. */
export async function generateDocs(): Promise<Map<string, string>> {
  return new Map([
    ["docs/ERRORS.md", errorsMarkdown()],
    ["docs/CONFIG.md", configMarkdown()],
    ["docs/openapi.json", await openApiJson()],
    ["docs/LICENCES.md", licencesMarkdown(readFileSync(join(projectRoot(), "package-lock.json"), "utf8"))],
  ]);
}

/** The text of docs/ERRORS.md. */
export function errorsMarkdown(): string {
  const rows = Object.entries(registry).map(
    ([code, { status, type, what, remedy }]) => `| \`${code}\` | ${status} | \`${type}\` | ${what} | ${remedy} |`,
  );
  return [
    "# Errors",
    "",
    "Generated from `src/errors/registry.ts` by `npm run docs`; do not edit.",
    "",
    'Over HTTP an error is `{"error": {"message", "type", "param", "code"}}`: the message says what is wrong in this case, `param` names the',
    "field or flag. On the command line it is a line on standard error and exit status 1, or 2 for `usage`.",
    "",
    "| code | status | type | what happened | what to do |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

async function openApiJson(): Promise<string> {
  // The routes describe themselves without a model: the engine of this server never arrives.
  const engine = new Promise<Engine>(() => undefined);
  const { fastify } = await buildServer({ ...defaultConfig(), logLevel: "silent" }, engine, programVersion());
  try {
    await fastify.ready();
    return `${JSON.stringify(fastify.swagger(), undefined, 2)}\n`;
  } finally {
    await fastify.close();
  }
}
