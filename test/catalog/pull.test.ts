/**
 * @file Pulling a model: sources in order, verification, two pulls at once, the error when nothing delivers, and the
 * command itself.
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readCatalog, type Catalog } from "../../src/catalog/catalog.ts";
import type { Progress } from "../../src/progress/progress.ts";
import { pullModel, type PullOptions } from "../../src/catalog/pull.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { fileRoute, startLoopbackServer, type LoopbackServer, type Route } from "./loopback-server.ts";

const temporary = mkdtempSync(join(tmpdir(), "bonsai-pull-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

const weights = randomBytes(50_000);
const tokenizer = randomBytes(500);
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const revision = "0".repeat(40);
const silent: Progress = { update: () => undefined, end: () => undefined };
let folders = 0;

const hub = (path: string) => ({ kind: "huggingface", repository: "someone/tiny", revision, path }) as const;

const catalog: Catalog = {
  tiny: {
    description: "A test.",
    license: "MIT",
    files: [
      { path: "weights.gguf", bytes: weights.length, sha256: sha256(weights), sources: [hub("old/weights.gguf"), hub("weights.gguf")] },
      { path: "extra/tokenizer.json", bytes: tokenizer.length, sha256: sha256(tokenizer), sources: [hub("tokenizer.json")] },
    ],
  },
};

/** A hub that has the two files at `revision`, and nothing else. */
const hubRoute: Route = (request, response, attempt) => {
  const prefix = `/someone/tiny/resolve/${revision}/`;
  const content = { [`${prefix}weights.gguf`]: weights, [`${prefix}tokenizer.json`]: tokenizer }[request.url ?? ""];
  if (content === undefined) response.writeHead(404).end();
  else fileRoute(content)(request, response, attempt);
};

async function withHub(
  route: Route,
  work: (options: PullOptions & { modelsFolder: string }, server: LoopbackServer) => Promise<void>,
): Promise<void> {
  const server = await startLoopbackServer(route);
  const modelsFolder = join(temporary, `models-${folders++}`);
  try {
    await work(
      { catalog, modelsFolder, progress: silent, huggingFaceEndpoint: server.origin, https: { retryDelayMs: 1, attempts: 2 } },
      server,
    );
  } finally {
    await server.close();
  }
}

describe("pull", () => {
  test("puts every file in its place from the first source that delivers it", async () => {
    await withHub(hubRoute, async (options) => {
      const lines: string[] = [];
      const folder = await pullModel("tiny", (line) => lines.push(line), options);
      assert.equal(folder, join(options.modelsFolder, "tiny"));
      assert.deepEqual(readFileSync(join(folder, "weights.gguf")), weights);
      assert.deepEqual(readFileSync(join(folder, "extra", "tokenizer.json")), tokenizer);
      assert.deepEqual(readdirSync(folder).toSorted(), ["extra", "weights.gguf"]);
      assert.match(lines.join("\n"), /No luck with .*404[^]*arrived and its SHA-256 is right[^]*licence MIT/);
    });
  });

  test("asks nobody when every file is there and right, and fetches again what is damaged", async () => {
    await withHub(hubRoute, async (options, server) => {
      const folder = await pullModel("tiny", () => undefined, options);
      const asked = server.ranges.length;
      await pullModel("tiny", () => undefined, options);
      assert.equal(server.ranges.length, asked);
      writeFileSync(join(folder, "weights.gguf"), randomBytes(weights.length));
      await pullModel("tiny", () => undefined, options);
      assert.deepEqual(readFileSync(join(folder, "weights.gguf")), weights);
    });
  });

  test("fetches a model once when two ask for it at the same time", async () => {
    await withHub(hubRoute, async (options, server) => {
      const lines: string[] = [];
      await Promise.all([1, 2, 3].map(async () => pullModel("tiny", (line) => lines.push(line), options)));
      assert.equal(server.ranges.length, 3);
      assert.ok(lines.some((line) => line.includes("waiting for it")));
    });
  });

  test("takes over the lock of a process that died", async () => {
    await withHub(hubRoute, async (options) => {
      const lock = join(options.modelsFolder, "tiny", ".pull.lock");
      mkdirSync(lock, { recursive: true });
      utimesSync(lock, 0, 0);
      await pullModel("tiny", () => undefined, options);
      assert.ok(!existsSync(lock));
    });
  });

  test("says for each source why it failed, what is kept, and what to place where by hand", async () => {
    const half: Route = (request, response) => {
      if (request.url?.includes("old") === true) response.writeHead(404).end();
      else response.writeHead(200, { "content-length": weights.length }).write(weights.subarray(0, 20_000));
    };
    await withHub(half, async (options, server) => {
      // The connection breaks once the half has arrived.
      const progress: Progress = {
        update: (_label, done) => (done === 20_000 ? server.breakConnections() : undefined),
        end: () => undefined,
      };
      const pulling = pullModel("tiny", () => undefined, { ...options, progress, https: { attempts: 1 } });
      await assert.rejects(pulling, (error) => {
        assert.ok(error instanceof BonsaiError);
        assert.equal(error.code, "download_failed");
        assert.equal(error.message.match(/- Hugging Face someone\/tiny/g)?.length, 2);
        assert.match(error.message, /404 Not Found[^]*connection broke[^]*0\.0 MB are kept[^]*50000 bytes with SHA-256/);
        assert.ok(error.message.includes(sha256(weights)) && error.message.includes(join(options.modelsFolder, "tiny", "weights.gguf")));
        return true;
      });
      assert.deepEqual(readFileSync(join(options.modelsFolder, "tiny", "weights.gguf.part")), weights.subarray(0, 20_000));
    });
  });

  test("leaves nothing that passes for the model when the content is wrong", async () => {
    await withHub(fileRoute(randomBytes(weights.length)), async (options) => {
      await assert.rejects(
        pullModel("tiny", () => undefined, options),
        /SHA-256/,
      );
      assert.deepEqual(readdirSync(join(options.modelsFolder, "tiny")), []);
    });
  });

  test("refuses what does not fit the disk before it asks anybody", async () => {
    const huge: Catalog = {
      tiny: {
        ...catalog["tiny"]!,
        files: [{ path: "weights.gguf", bytes: 1e15, sha256: sha256(weights), sources: [hub("weights.gguf")] }],
      },
    };
    await withHub(hubRoute, async (options, server) => {
      await assert.rejects(
        pullModel("tiny", () => undefined, { ...options, catalog: huge }),
        /MB free, 1000000064 MB are needed/,
      );
      assert.equal(server.ranges.length, 0);
    });
  });

  test("refuses a name that the catalog does not have, and offers the nearest", async () => {
    await withHub(hubRoute, async (options) => {
      await assert.rejects(
        pullModel("tinny", () => undefined, options),
        /no model "tinny"\. Did you mean tiny\? It has: tiny\./,
      );
      await assert.rejects(
        pullModel("__proto__", () => undefined, options),
        /no model "__proto__"/,
      );
      assert.ok(!existsSync(options.modelsFolder));
    });
  });
});

describe("the catalog", () => {
  test("names a licence, a size and a SHA-256 for each file, and more than one source", async () => {
    for (const model of Object.values(await readCatalog())) {
      for (const file of model.files) assert.ok(file.sources.length > 1);
    }
  });

  test("is refused when a path could leave the model's folder or a field is unknown or missing, and the message says where", async () => {
    const path = join(temporary, "catalog.json");
    const file = { path: "a", bytes: 1, sha256: sha256(weights), sources: [hub("a")] };
    const model = { description: "", license: "MIT", files: [file] };
    const refused: [unknown, RegExp][] = [
      ...["../a", "/a", "a/../b", "a//b", "a\\b", ".ssh", "a/", "", "C:a"].map((bad): [unknown, RegExp] => [
        { m: { ...model, files: [{ ...file, path: bad }] } },
        /\/m\/files\/0\/path/,
      ]),
      [{ "../m": model }, /root|\.\.\/m|\.\.~1m/],
      [{ m: { ...model, files: [{ ...file, sha256: "abc" }] } }, /\/m\/files\/0\/sha256/],
      [{ m: { ...model, files: [{ ...file, sources: [{ ...hub("a"), revision: "main" }] }] } }, /\/m\/files\/0\/sources\/0/],
      [{ m: { ...model, files: [] } }, /\/m\/files/],
      [{ m: { ...model, extra: 1 } }, /\/m/],
    ];
    for (const [value, place] of refused) {
      writeFileSync(path, JSON.stringify(value));
      await assert.rejects(
        readCatalog(path),
        (error) => error instanceof BonsaiError && error.code === "usage" && place.test(error.message),
        JSON.stringify(value),
      );
    }
    writeFileSync(path, "{");
    await assert.rejects(readCatalog(path), /is not JSON/);
    await assert.rejects(readCatalog(join(temporary, "absent.json")), /cannot be read/);
  });
});

describe("the command", () => {
  const command = ["--import", "tsx", "src/cli/main.ts", "pull"];

  test("lists the models with --help, and exits with 2 for a wrong name or flag", () => {
    const help = spawnSync(process.execPath, [...command, "--help"], { encoding: "utf8" });
    assert.equal(help.status, 0);
    assert.match(help.stdout, /smollm2-135m-instruct \(98 MB, Apache-2\.0\)/);
    for (const wrong of [["no-such-model"], [], ["--no-such-flag"]]) {
      const result = spawnSync(process.execPath, [...command, "--models-dir", join(temporary, "absent"), ...wrong], { encoding: "utf8" });
      assert.equal(result.status, 2, result.stderr);
      assert.match(result.stderr, /^pull: /);
    }
  });

  test("keeps what has arrived when it is interrupted, and exits with 130", async () => {
    const piece = randomBytes(1_000_000);
    const server = await startLoopbackServer((_request, response) => {
      response.writeHead(200, { "content-length": 98_362_432 });
      response.write(piece);
    });
    const modelsFolder = join(temporary, "interrupted");
    const environment = { ...process.env, HF_ENDPOINT: server.origin };
    const child = spawn(process.execPath, [...command, "--models-dir", modelsFolder, "smollm2-135m-instruct"], {
      env: environment,
      stdio: "ignore",
    });
    try {
      const part = join(modelsFolder, "smollm2-135m-instruct", "SmolLM2-135M-Instruct.Q4_1.gguf.part");
      while (!existsSync(part) || readFileSync(part).length < piece.length) {
        assert.equal(child.exitCode, null, "the command ended by itself");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      child.kill("SIGINT");
      // npm passes a terminal's Control-C on to a process that has had it already.
      setTimeout(() => child.kill("SIGINT"), 20);
      const status = await new Promise((resolve) => child.on("close", resolve));
      assert.equal(status, 130);
      assert.deepEqual(readFileSync(part), piece);
      assert.ok(!existsSync(join(modelsFolder, "smollm2-135m-instruct", ".pull.lock")));
    } finally {
      child.kill("SIGKILL");
      await server.close();
    }
  });
});
