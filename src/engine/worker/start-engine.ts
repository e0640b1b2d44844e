/** @file An engine with one backend, which computes in a worker of this process. */

import { availableParallelism } from "node:os";
import type { NamedEnsemble } from "../contract/ensembles.ts";
import type { Engine } from "../contract/request.ts";
import type { ModelOptions } from "../loading/model.ts";
import { Router } from "../router.ts";
import type { EngineLoopOptions } from "../scheduling/engine-loop.ts";
import { WorkerBackend } from "./worker-backend.ts";

export interface WorkerOptions extends EngineLoopOptions, Pick<ModelOptions, "device" | "quantization" | "cacheDir"> {
  models: readonly Pick<ModelOptions, "id" | "path" | "reward" | "rewardModel" | "encoder" | "adapters" | "heads" | "implicitRewards">[];
  /** Threads that compute; 0 takes one for each core. */
  threads: number;
  /** Takes lines for the person who waits. */
  log: (line: string) => void;
}

export interface EngineOptions extends WorkerOptions {
  /** Reward models that are made of others. */
  ensembles?: readonly NamedEnsemble[];
}

/** Quantised weights on disk, all models together. */
const maxCacheBytes = 8 * 1024 ** 3;

/** Resolves when all models are loaded. Rejects with the error of the first that cannot be. */
export async function startWorkerBackend(options: WorkerOptions): Promise<WorkerBackend> {
  const { models, device, quantization, cacheDir, log, threads, ...loop } = options;
  const setup = {
    models: models.map((model) => ({
      ...model,
      device,
      quantization,
      cacheDir,
      maxCacheBytes,
      maxRows: loop.maxSequences,
      kvCacheBytes: loop.kvCacheBytes,
      threads: threads || availableParallelism(),
      spinning: true,
    })),
    loop,
  };
  const backend = new WorkerBackend(setup, log);
  await backend.start();
  return backend;
}

/** As `startWorkerBackend`, behind a router. Rejects with `usage` for an ensemble over a model that is not served. */
export async function startEngine({ ensembles = [], ...options }: EngineOptions): Promise<Engine> {
  const backend = await startWorkerBackend(options);
  try {
    return new Router([backend], ensembles);
  } catch (error) {
    await backend.close();
    throw error;
  }
}
