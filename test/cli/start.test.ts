/**
 * @file `npm start` as a person and a service manager see it: it compiles, serves a model of a folder, and drains on
 * SIGTERM.
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { projectRoot } from "../../src/catalog/project-root.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";

const temporary = mkdtempSync(join(tmpdir(), "bonsai-start-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

describe("npm start", () => {
  test("serves a folder, and SIGTERM to npm stops the server in order", async () => {
    writeTinyModel(join(temporary, "tiny"));
    const parameters = [
      "--port",
      "0",
      "--log-level",
      "silent",
      "--cache-dir",
      join(temporary, "cache"),
      "--model",
      join(temporary, "tiny"),
    ];
    // A process group of its own, so that whatever might be left can be ended.
    const npm = spawn("npm", ["start", "--", ...parameters], { cwd: projectRoot(), stdio: ["ignore", "ignore", "pipe"], detached: true });
    let output = "";
    try {
      const address = await new Promise<string>((resolve, reject) => {
        npm.stderr.setEncoding("utf8").on("data", (text: string) => {
          output += text;
          const found = /Ready after[^]*(http:\/\/127\.0\.0\.1:\d+)\/docs/.exec(output)?.[1];
          if (found !== undefined) resolve(found);
        });
        npm.on("close", () => reject(new Error(`npm start ended early:\n${output}`)));
      });
      const response = await fetch(`${address}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "tiny", prompt: "a", max_tokens: 2 }),
      });
      assert.equal(response.status, 200);
      // Ends when every process that holds the pipe has ended, so a server that outlives npm is waited for in vain.
      const ended = new Promise((resolve) => npm.on("close", resolve));
      npm.kill("SIGTERM");
      await ended;
      assert.match(output, /Stopping/);
      await assert.rejects(fetch(`${address}/health/live`));
    } finally {
      try {
        if (npm.pid !== undefined) process.kill(-npm.pid, "SIGKILL");
      } catch {
        // Nothing is left of the group.
      }
    }
  });

  test("compiles every command, not only the server", () => {
    const bonsai = (...words: string[]): string => {
      const { status, stdout, stderr } = spawnSync(process.execPath, ["dist/src/cli/main.js", ...words], {
        cwd: projectRoot(),
        encoding: "utf8",
      });
      assert.deepEqual([status, stderr], [0, ""], words.join(" "));
      return stdout;
    };
    const commands = [...bonsai("--help").matchAll(/^ {2}(\S+) +\S/gm)].map((match) => match[1]!);
    assert.ok(commands.includes("train:dpo"));
    for (const command of commands) assert.match(bonsai(command, "--help"), /npm (run|start)/, command);
  });
});
