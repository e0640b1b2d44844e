/** @file The folders of a training run: its output, taken for this process, and one of its own for graphs, which goes with whom it was made for. */

import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { requireFreeFolder } from "./training-run.ts";
import { openWorkFolder } from "./work-folder.ts";

/**
 * Runs a training while the output folder is this process's.
 * @throws BonsaiError `usage` where the output is the model's own folder, is not free, or is another process's; `write_failed`; what `train` throws
 */
export async function inOutputFolder<Outcome>(
  { outputDir, resume }: { outputDir: string; resume: boolean },
  modelPath: string,
  train: (workFolder: string) => Promise<Outcome>,
): Promise<Outcome> {
  if (resolve(outputDir) === resolve(modelPath)) {
    throw new BonsaiError("usage", `--output-dir ${outputDir} is the folder of the model that is trained: name another.`, {
      param: "--output-dir",
    });
  }
  requireFreeFolder(outputDir, resume);
  const work = openWorkFolder(outputDir);
  try {
    return await train(work.path);
  } finally {
    work.remove();
  }
}

/** Makes what needs a folder for its graphs. The folder is removed when `release` is called, and at once where making fails. */
export async function inGraphFolder<Made>(parent: string, make: (folder: string, release: () => void) => Promise<Made>): Promise<Made> {
  const folder = mkdtempSync(join(parent, "bonsai-training-"));
  const release = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    return await make(folder, release);
  } catch (error) {
    release();
    throw error;
  }
}
