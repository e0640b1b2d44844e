/** @file Downloads from a real HTTP server on loopback that cuts, lies, stalls, forgets ranges and changes its file. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import fc from "fast-check";
import { downloadHttps, type HttpsDownloadOptions } from "../../src/catalog/download-https.ts";
import type { ExpectedFile } from "../../src/catalog/partial-file.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { fileRoute, startLoopbackServer, type LoopbackServer, type Route } from "./loopback-server.ts";

const folder = mkdtempSync(join(tmpdir(), "bonsai-download-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const content = randomBytes(300_000);
const quick: HttpsDownloadOptions = { retryDelayMs: 1 };
let files = 0;

function expectedFile(bytes: Buffer = content): ExpectedFile {
  return { path: join(folder, `file-${files++}.bin`), bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

async function withServer(route: Route, work: (server: LoopbackServer) => Promise<void>): Promise<void> {
  const server = await startLoopbackServer(route);
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

/**
 * Breaks the connection each time the client has got as far as one of `places`: what was sent before has arrived then.
 */
function breakAt(server: LoopbackServer, places: readonly number[]): (received: number) => void {
  const left = [...places];
  return (received) => {
    if (received === left[0]) {
      left.shift();
      server.breakConnections();
    }
  };
}

function failure(code: BonsaiError["code"], message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BonsaiError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

function assertWhole(expected: ExpectedFile, bytes: Buffer = content): void {
  assert.deepEqual(readFileSync(expected.path), bytes);
  for (const suffix of [".part", ".part.json"]) assert.ok(!existsSync(expected.path + suffix), `${suffix} is left`);
}

function assertNothing(expected: ExpectedFile): void {
  for (const suffix of ["", ".part", ".part.json"]) assert.ok(!existsSync(expected.path + suffix), `${suffix || "the file"} is there`);
}

describe("a download that is interrupted", () => {
  test("goes on where the connection broke, and asks for the rest of the same version only", async () => {
    await withServer(
      fileRoute(content, { etag: '"v1"', bytesBeforeSilence: (attempt) => (attempt < 3 ? 70_000 : Infinity) }),
      async (server) => {
        const expected = expectedFile();
        const reported: number[] = [];
        const breaking = breakAt(server, [70_000, 140_000]);
        const onBytes = (received: number): void => {
          reported.push(received);
          breaking(received);
        };
        await downloadHttps(server.origin, expected, { ...quick, onBytes });
        assertWhole(expected);
        assert.deepEqual(server.ranges, [undefined, "bytes=70000-", "bytes=140000-"]);
        assert.deepEqual(server.ifRanges, [undefined, '"v1"', '"v1"']);
        assert.equal(server.sentBytes(), content.length);
        assert.deepEqual(
          reported,
          reported.toSorted((left, right) => left - right),
        );
        assert.equal(reported.at(-1), content.length);
      },
    );
  });

  test("goes on in a later run, from .part, and fetches the rest only", async () => {
    await withServer(
      fileRoute(content, { etag: '"v1"', bytesBeforeSilence: (attempt) => (attempt === 1 ? 200_000 : Infinity) }),
      async (server) => {
        const expected = expectedFile();
        await assert.rejects(
          downloadHttps(server.origin, expected, { ...quick, attempts: 1, onBytes: breakAt(server, [200_000]) }),
          failure("download_failed", /200000 of 300000|connection broke/),
        );
        assert.equal(readFileSync(`${expected.path}.part`).length, 200_000);
        await downloadHttps(server.origin, expected, quick);
        assertWhole(expected);
        assert.equal(server.sentBytes(), content.length);
      },
    );
  });

  test("keeps .part when the caller aborts it, and goes on from there", async () => {
    const expected = expectedFile();
    const interrupt = new AbortController();
    const stalling: Route = (_request, response) => {
      response.writeHead(200, { "content-length": content.length, etag: '"v1"' });
      response.write(content.subarray(0, 100_000));
    };
    await withServer(stalling, async (server) => {
      const onBytes = (received: number): void => (received === 100_000 ? interrupt.abort(new Error("interrupted")) : undefined);
      await assert.rejects(downloadHttps(server.origin, expected, { ...quick, signal: interrupt.signal, onBytes }), /interrupted/);
    });
    assert.deepEqual(readFileSync(`${expected.path}.part`), content.subarray(0, 100_000));
    await withServer(fileRoute(content), async (server) => {
      await downloadHttps(server.origin, expected, quick);
      assert.deepEqual(server.ranges, ["bytes=100000-"]);
    });
    assertWhole(expected);
  });

  test("arrives whole wherever and however often the connection breaks", async () => {
    const small = content.subarray(0, 5000);
    const cuts = fc.array(fc.integer({ min: 1, max: 4000 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.boolean(), async (bytesOfAttempt, hasTag) => {
        const route = fileRoute(small, {
          etag: hasTag ? '"v1"' : undefined,
          bytesBeforeSilence: (attempt) => bytesOfAttempt[attempt - 1] ?? Infinity,
        });
        await withServer(route, async (server) => {
          const expected = expectedFile(small);
          const places = bytesOfAttempt.map((_, index) => bytesOfAttempt.slice(0, index + 1).reduce((sum, bytes) => sum + bytes, 0));
          await downloadHttps(server.origin, expected, {
            ...quick,
            onBytes: breakAt(
              server,
              places.filter((place) => place < small.length),
            ),
          });
          assertWhole(expected, small);
          assert.equal(server.sentBytes(), small.length);
        });
      }),
      { numRuns: 25 },
    );
  });

  test("starts anew when the server ignores ranges", async () => {
    await withServer(
      fileRoute(content, { ignoresRange: true, bytesBeforeSilence: (attempt) => (attempt === 1 ? 50_000 : Infinity) }),
      async (server) => {
        const expected = expectedFile();
        await downloadHttps(server.origin, expected, { ...quick, onBytes: breakAt(server, [50_000]) });
        assertWhole(expected);
        assert.equal(server.sentBytes(), 50_000 + content.length);
      },
    );
  });

  test("starts anew when the file has changed behind its entity tag", async () => {
    const old = randomBytes(content.length);
    const route: Route = (request, response, attempt) =>
      fileRoute(attempt === 1 ? old : content, { etag: `"v${attempt}"`, bytesBeforeSilence: () => (attempt === 1 ? 50_000 : Infinity) })(
        request,
        response,
        attempt,
      );
    await withServer(route, async (server) => {
      const expected = expectedFile();
      await downloadHttps(server.origin, expected, { ...quick, onBytes: breakAt(server, [50_000]) });
      assertWhole(expected);
      assert.deepEqual(server.ifRanges, [undefined, '"v1"']);
    });
  });

  test("starts anew when .part belongs to another file and the server has no entity tags", async () => {
    await withServer(fileRoute(content), async (server) => {
      const expected = expectedFile();
      writeFileSync(`${expected.path}.part`, randomBytes(1000));
      await downloadHttps(server.origin, expected, quick);
      assertWhole(expected);
      assert.deepEqual(server.ranges, ["bytes=1000-", undefined]);
    });
  });

  test("starts anew when .part is longer than the file, or its notes are damaged", async () => {
    await withServer(fileRoute(content), async (server) => {
      const expected = expectedFile();
      writeFileSync(`${expected.path}.part`, randomBytes(content.length + 1));
      writeFileSync(`${expected.path}.part.json`, "{");
      await downloadHttps(server.origin, expected, quick);
      assertWhole(expected);
      assert.deepEqual(server.ranges, [undefined]);
    });
  });

  test("needs no request when .part is whole already", async () => {
    await withServer(fileRoute(content), async (server) => {
      const expected = expectedFile();
      writeFileSync(`${expected.path}.part`, content);
      await downloadHttps(server.origin, expected, quick);
      assertWhole(expected);
      assert.equal(server.ranges.length, 0);
    });
  });

  test("starts anew when the server refuses the range or answers another", async () => {
    for (const refuse of [
      ((_request, response) => response.writeHead(416).end()) satisfies Route,
      ((_request, response) => response.writeHead(206, { "content-range": `bytes 5-9/${content.length}` }).end("other")) satisfies Route,
    ]) {
      const whole = fileRoute(content);
      const route: Route = (request, response, attempt) => (attempt === 1 ? refuse(request, response) : whole(request, response, attempt));
      await withServer(route, async (server) => {
        const expected = expectedFile();
        writeFileSync(`${expected.path}.part`, content.subarray(0, 10));
        await downloadHttps(server.origin, expected, quick);
        assertWhole(expected);
        assert.deepEqual(server.ranges, ["bytes=10-", undefined]);
      });
    }
  });
});

describe("a download of the wrong thing", () => {
  test("is refused by its SHA-256 and leaves nothing behind", async () => {
    await withServer(fileRoute(randomBytes(content.length)), async (server) => {
      const expected = expectedFile();
      await assert.rejects(
        downloadHttps(server.origin, expected, quick),
        failure("checksum_mismatch", /SHA-256 [0-9a-f]{64}, but the catalog names [0-9a-f]{64}/),
      );
      assertNothing(expected);
      assert.equal(server.ranges.length, 1);
    });
  });

  test("is refused before its body when it announces another size, and does not touch a .part", async () => {
    await withServer(fileRoute(Buffer.concat([content, content])), async (server) => {
      const expected = expectedFile();
      await assert.rejects(
        downloadHttps(server.origin, expected, quick),
        failure("download_failed", /announces 600000 bytes, but the catalog names 300000/),
      );
      writeFileSync(`${expected.path}.part`, content.subarray(0, 10));
      await assert.rejects(downloadHttps(server.origin, expected, quick), failure("download_failed", /announces 600000 bytes/));
      assert.equal(readFileSync(`${expected.path}.part`).length, 10);
    });
  });

  test("never puts more bytes on the disk than the catalog names, however long an unannounced body is", async () => {
    const endless: Route = (_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(content)) continue;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    };
    await withServer(endless, async (server) => {
      const expected = expectedFile();
      await assert.rejects(downloadHttps(server.origin, expected, quick), failure("download_failed", /more than the 300000 bytes/));
      assert.ok(readFileSync(`${expected.path}.part`).length <= content.length);
      assert.ok(!existsSync(expected.path));
    });
  });

  test("does not write through a link that lies where .part goes", async () => {
    await withServer(fileRoute(content), async (server) => {
      const expected = expectedFile();
      const victim = join(folder, "victim");
      writeFileSync(victim, "mine");
      symlinkSync(victim, `${expected.path}.part`);
      await assert.rejects(downloadHttps(server.origin, expected, quick), failure("download_failed", /cannot be written/));
      assert.equal(readFileSync(victim, "utf8"), "mine");
    });
  });
});

describe("a source that does not answer", () => {
  test("is given up at once when it says 404", async () => {
    await withServer(
      (_request, response) => response.writeHead(404).end(),
      async (server) => {
        await assert.rejects(downloadHttps(server.origin, expectedFile(), quick), failure("download_failed", /404 Not Found/));
        assert.equal(server.ranges.length, 1);
      },
    );
  });

  test("is asked again when it says 503, and given up after the attempts", async () => {
    await withServer(
      (_request, response) => response.writeHead(503).end(),
      async (server) => {
        await assert.rejects(downloadHttps(server.origin, expectedFile(), { ...quick, attempts: 3 }), failure("download_failed", /503/));
        assert.equal(server.ranges.length, 3);
      },
    );
  });

  test("is given up when it sends nothing", async () => {
    for (const silent of [() => undefined, (_request, response) => void response.writeHead(200).write("x")] satisfies Route[]) {
      await withServer(silent, async (server) => {
        const options = { ...quick, attempts: 1, idleTimeoutMs: 50 };
        await assert.rejects(
          downloadHttps(server.origin, expectedFile(), options),
          failure("download_failed", /sent nothing for 0.05 seconds/),
        );
      });
    }
  });

  test("is named with its reason when nobody listens", async () => {
    const server = await startLoopbackServer(() => undefined);
    await server.close();
    await assert.rejects(downloadHttps(server.origin, expectedFile(), quick), failure("download_failed", /refused the connection/));
  });

  test("must be HTTPS, but on this machine itself", async () => {
    for (const url of ["http://models.example/file", "ftp://127.0.0.1/file", "http://127.0.0.1.example/file"]) {
      await assert.rejects(downloadHttps(url, expectedFile(), quick), failure("download_failed", /is not HTTPS/));
    }
  });
});
