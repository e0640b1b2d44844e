/**
 * @file The folder inside a run's output that holds graphs and frozen weights while it runs, and says which process runs there. What a killed
 * process left in it is found, and removed, by the next.
 */

import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { onDisk } from "../../formats/written-file.ts";

const ownerFile = "owner.json";

export interface WorkFolder {
  path: string;
  remove: () => void;
}

/**
 * Takes the output folder for this process: two runs in one folder would overwrite each other's checkpoints.
 * @throws BonsaiError `usage` where another process of this machine trains there; `write_failed`.
 */
export function openWorkFolder(outputDir: string): WorkFolder {
  const path = join(outputDir, ".work");
  const owner = livingOwner(join(path, ownerFile));
  if (owner !== undefined) {
    throw new BonsaiError(
      "usage",
      `The process ${owner} trains into ${outputDir}: wait for it or stop it, or name another folder with --output-dir. (If it is no trainer, remove ${path}.)`,
      { param: "--output-dir" },
    );
  }
  onDisk(path, () => {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    for (const name of readdirSync(outputDir)) if (/\.\d+\.partial$/.test(name)) rmSync(join(outputDir, name), { force: true });
    writeFileSync(join(path, ownerFile), JSON.stringify({ host: hostname(), process: process.pid }));
  });
  const remove = (): void => {
    rmSync(path, { recursive: true, force: true });
    // A run that was refused before it began leaves no folder of its own.
    if (readdirSync(outputDir).length === 0) rmdirSync(outputDir);
  };
  return { path, remove };
}

/** The process that the file names, if it is another one, of this machine, and alive. Of another machine's nothing can be known. */
function livingOwner(path: string): number | undefined {
  try {
    const owner = JSON.parse(readFileSync(path, "utf8")) as { host?: unknown; process?: unknown };
    if (owner.host !== hostname() || typeof owner.process !== "number" || owner.process === process.pid) return undefined;
    return isAlive(owner.process) ? owner.process : undefined;
  } catch {
    // No file, or a torn one.
    return undefined;
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // It lives, and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
