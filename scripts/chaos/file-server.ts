/** @file A server on this machine that serves the files of a folder as Hugging Face does, slowly enough to be cut. */

import { createHash } from "node:crypto";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Catalog } from "../../src/catalog/catalog.ts";

const repository = "bonsai/chaos";
const revision = "0".repeat(40);
const pieceBytes = 2 ** 18;
const pauseMs = 40;

/** A catalog of one model, whose files are those of the folder. */
export function catalogOf(name: string, folder: string, files: readonly string[]): Catalog {
  const entries = files.map((path) => {
    const bytes = readFileSync(join(folder, path));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { path, bytes: bytes.length, sha256, sources: [{ kind: "huggingface" as const, repository, revision, path }] };
  });
  return { [name]: { description: "A copy of a model of this project.", license: "Apache-2.0", files: entries } };
}

/** Serves the folder on a free port of the loopback address, with ranges and entity tags. */
export async function serveFolder(folder: string): Promise<{ url: string; server: Server }> {
  const prefix = `/${repository}/resolve/${revision}/`;
  const server = createServer((request, response) => {
    const path = decodeURI(request.url ?? "").split("?")[0]!;
    const name = path.slice(prefix.length);
    if (!path.startsWith(prefix) || !/^[a-z_]+\.[a-z]+$/.test(name)) response.writeHead(404).end();
    else void sendSlowly(response, join(folder, name), request.headers.range);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function sendSlowly(response: ServerResponse, path: string, range: string | undefined): Promise<void> {
  const { size } = statSync(path);
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const head = { etag: `"${size}"`, "content-length": size - start };
  response.writeHead(start > 0 ? 206 : 200, start > 0 ? { ...head, "content-range": `bytes ${start}-${size - 1}/${size}` } : head);
  try {
    for await (const piece of createReadStream(path, { start, highWaterMark: pieceBytes })) {
      if (response.destroyed) return;
      response.write(piece);
      await sleep(pauseMs);
    }
  } finally {
    response.end();
  }
}
