/**
 * @file Schemathesis, which writes requests of its own from the OpenAPI document, finds no 5xx and no answer that the
 * document does not state.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { listen, startFixture } from "../server/fixture.ts";

const program = process.env["BONSAI_TEST_SCHEMATHESIS"] ?? fileURLToPath(new URL("../../.venv/bin/schemathesis", import.meta.url));
const skip =
  !existsSync(program) && "schemathesis is absent: install it as test/oracle/requirements.txt says, or set BONSAI_TEST_SCHEMATHESIS";

const checks = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
  "response_headers_conformance",
  "unsupported_method",
  "negative_data_rejection",
];

type Document = {
  paths: Record<string, { post?: { requestBody: { content: Record<string, { schema: { properties: Record<string, object> } }> } } }>;
};

// `examples` requests are written for each route and phase; a key changes what is refused before a body is read.
for (const { keys, what, examples } of [
  { keys: [], what: "without keys", examples: 40 },
  { keys: ["sk-test"], what: "with a key", examples: 5 },
]) {
  test(`schemathesis finds nothing wrong ${what}`, { skip }, async (t) => {
    // It writes lists of one item too many, each as large as may be, and expects the list to be what is refused.
    const fixture = await startFixture(t, { apiKey: keys, bodyLimitBytes: 64 * 2 ** 20 }, { contextLength: 256, maxSequences: 256 });
    const url = await listen(fixture);
    const document = fixture.fastify.swagger() as unknown as Document;
    for (const { post } of Object.values(document.paths)) {
      // Any text is a model's id to the schema; only one that is served gets requests beyond the first check.
      const properties = post?.requestBody.content["application/json"]!.schema.properties;
      if (properties !== undefined) properties["model"] = { type: "string", enum: ["scripted"] };
    }
    const file = join(temporaryFolder(), "openapi.json");
    writeFileSync(file, JSON.stringify(document));
    const child = spawn(
      program,
      [
        "run",
        file,
        "--url",
        url,
        "--checks",
        checks.join(","),
        "--max-examples",
        String(examples),
        "--seed",
        "1",
        "--workers",
        "1",
        "--no-color",
        "--suppress-health-check",
        "all",
        ...keys.flatMap((key) => ["--header", `Authorization: Bearer ${key}`]),
      ],
      { stdio: ["ignore", "pipe", "pipe"], cwd: temporaryFolder() },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const status = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(status, 0, output.slice(-6000));
    assert.match(output, /Tested: 14/);
    assert.equal(fixture.engine.stats().runningSequences, 0);
  });
}
