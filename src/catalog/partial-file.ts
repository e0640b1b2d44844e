/**
 * @file A file that arrives in pieces: written to NAME.part, never longer than announced, and renamed only when its
 * SHA-256 is right.
 */

import { createHash, type Hash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, writeFile, type FileHandle } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { BonsaiError } from "../errors/bonsai-error.ts";

/** What the catalog promises about a file. */
export interface ExpectedFile {
  /** Where the finished file goes. */
  path: string;
  bytes: number;
  /** Lower-case hexadecimal SHA-256. */
  sha256: string;
}

/**
 * What tells one version of a remote file from another (RFC 9110, section 8.8.3): the bytes in .part came from here.
 */
export interface Validator {
  url: string;
  etag: string;
}

/** SHA-256 of a file, lower-case hexadecimal, read in pieces. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Whether the finished file is there with the announced size (its content is checked when it is fetched). */
export async function isComplete(expected: Pick<ExpectedFile, "path" | "bytes">): Promise<boolean> {
  try {
    const found = await stat(expected.path);
    return found.isFile() && found.size === expected.bytes;
  } catch {
    return false;
  }
}

/** Bytes already in NAME.part; 0 when there is none. */
export async function partialBytes(path: string): Promise<number> {
  try {
    return (await stat(`${path}.part`)).size;
  } catch {
    return 0;
  }
}

export class PartialFile {
  readonly expected: ExpectedFile;
  #handle: FileHandle;
  #hash: Hash;
  #received: number;
  #validator: Validator | undefined;

  private constructor(expected: ExpectedFile, handle: FileHandle, hash: Hash, received: number, validator: Validator | undefined) {
    this.expected = expected;
    this.#handle = handle;
    this.#hash = hash;
    this.#received = received;
    this.#validator = validator;
  }

  /** Opens NAME.part and hashes what an earlier attempt left in it; a part longer than announced starts anew. */
  static async open(expected: ExpectedFile): Promise<PartialFile> {
    const handle = await onDisk(expected.path, async () => {
      await mkdir(dirname(expected.path), { recursive: true });
      // O_NOFOLLOW: a link planted under this name must not choose which file is overwritten.
      return open(`${expected.path}.part`, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o644);
    });
    try {
      const { size } = await handle.stat();
      const hash = createHash("sha256");
      if (size > expected.bytes) await handle.truncate(0);
      else
        for await (const chunk of handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 20 }))
          hash.update(chunk as Buffer);
      return new PartialFile(expected, handle, hash, size > expected.bytes ? 0 : size, await readValidator(expected.path));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes that are already in .part. */
  get received(): number {
    return this.#received;
  }

  /** Where those bytes came from, when the server gave a strong entity tag. */
  get validator(): Validator | undefined {
    return this.#validator;
  }

  /** Remembers which version of which file the bytes belong to, for If-Range in a later attempt. */
  async remember(validator: Validator | undefined): Promise<void> {
    this.#validator = validator;
    const path = `${this.expected.path}.part.json`;
    if (validator === undefined) await rm(path, { force: true });
    else await writeFile(path, JSON.stringify(validator));
  }

  /** Forgets everything received. */
  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash("sha256");
    this.#received = 0;
    await this.remember(undefined);
  }

  /** @throws BonsaiError `download_failed` when the source sends more bytes than announced; they are not written. */
  async append(chunk: Uint8Array): Promise<void> {
    if (this.#received + chunk.length > this.expected.bytes) {
      throw new BonsaiError("download_failed", `It sends more than the ${this.expected.bytes} bytes that the catalog names.`);
    }
    await onDisk(this.expected.path, async () => {
      let written = 0;
      while (written < chunk.length) {
        written += (await this.#handle.write(chunk, written, chunk.length - written, this.#received + written)).bytesWritten;
      }
    });
    this.#hash.update(chunk);
    this.#received += chunk.length;
  }

  /**
   * Checks the whole and moves it to its place in one step.
   * @throws BonsaiError `download_failed` when bytes are missing (.part stays), `checksum_mismatch` when it is another
   * file (.part is deleted: nothing in it can be trusted).
   */
  async complete(): Promise<void> {
    const { path, bytes, sha256 } = this.expected;
    if (this.#received !== bytes) throw new BonsaiError("download_failed", `It ended after ${this.#received} of ${bytes} bytes.`);
    const digest = this.#hash.digest("hex");
    if (digest !== sha256) {
      await this.restart();
      await this.close();
      await rm(`${path}.part`, { force: true });
      throw new BonsaiError("checksum_mismatch", `Its ${basename(path)} has SHA-256 ${digest}, but the catalog names ${sha256}.`);
    }
    await onDisk(path, async () => {
      await this.#handle.sync();
      await this.close();
      await rename(`${path}.part`, path);
      await rm(`${path}.part.json`, { force: true });
    });
  }

  /** Closes .part and keeps it for a later attempt; harmless when closed already. */
  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Runs `work`; a refusal of the operating system (full disk, no permission) becomes an error that names the file. */
async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BonsaiError("download_failed", `${path}.part cannot be written: ${reason}.`, { cause });
  }
}

async function readValidator(path: string): Promise<Validator | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(`${path}.part.json`, "utf8"));
    if (typeof value !== "object" || value === null || !("url" in value) || !("etag" in value)) return undefined;
    return typeof value.url === "string" && typeof value.etag === "string" ? { url: value.url, etag: value.etag } : undefined;
  } catch {
    return undefined; // Absent or damaged: the resumed file's hash decides alone.
  }
}
