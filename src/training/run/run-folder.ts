/** @file The output folder of a training run: it must be free, and it belongs to one process at a time. */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { checkpointsFolder, checkpointSteps } from "./checkpoint.ts";
import { metricsFileName } from "./metrics-file.ts";
import { openWorkFolder, type WorkFolder } from "./work-folder.ts";

/**
 * Runs a training while this process holds the output folder.
 * @throws BonsaiError `usage` where the output is the model's own folder, is not free, or is another process's;
 *   `write_failed`; what `train` throws
 */
export async function inOutputFolder<Outcome>(
  { outputDir, resume }: { outputDir: string; resume: boolean },
  modelPath: string,
  train: (work: WorkFolder) => Promise<Outcome>,
): Promise<Outcome> {
  if (resolve(outputDir) === resolve(modelPath)) {
    throw new BonsaiError("usage", `--output-dir ${outputDir} is the folder of the model that is trained: name another.`, {
      param: "--output-dir",
    });
  }
  requireFreeFolder(outputDir, resume);
  const work = await openWorkFolder(outputDir);
  try {
    return await train(work);
  } finally {
    await work.remove();
  }
}

/** @throws BonsaiError `usage` where the folder holds what a run must not replace. */
export function requireFreeFolder(outputDir: string, resume: boolean): void {
  const newest = checkpointSteps(join(outputDir, checkpointsFolder)).at(-1);
  const isTaken = [metricsFileName, "config.json", "adapter_config.json"].some((name) => existsSync(join(outputDir, name)));
  if (!resume && (newest !== undefined || isTaken)) {
    throw new BonsaiError(
      "usage",
      `${outputDir} holds a run or a model already: --resume goes on with a run, or name another folder with --output-dir.`,
      { param: "--output-dir" },
    );
  }
  if (newest === undefined && ["config.json", "adapter_config.json"].some((name) => existsSync(join(outputDir, name)))) {
    throw new BonsaiError(
      "usage",
      `${outputDir} holds a model and no checkpoint to go on from: --resume would replace it; name another folder with --output-dir.`,
      { param: "--resume" },
    );
  }
}
