/** @file From the configuration to a running engine: finds the models, pulls the default one when there is none, and loads them. */

import { homedir } from "node:os";
import { join } from "node:path";
import { startEngine } from "../../engine/worker/start-engine.ts";
import { parseEnsemble } from "../../reward/ensemble.ts";
import { resolveModels } from "../../catalog/resolve-models.ts";
import type { StartEngine } from "./serve.ts";

export const loadEngine: StartEngine = async (config, log) =>
  startEngine({
    models: await resolveModels(config.model, log),
    ensembles: config.rewardEnsemble.map(parseEnsemble),
    device: config.device,
    quantization: config.quantization,
    cacheDir: config.cacheDir === "" ? defaultCacheDir() : config.cacheDir,
    threads: config.threads,
    maxSequences: config.maxSequences,
    maxQueuedSequences: config.maxQueuedSequences,
    kvCacheBytes: config.kvCacheBytes,
    prefixCacheBytes: config.prefixCacheBytes,
    defaultMaxTokens: config.defaultMaxTokens,
    log,
  });

/** XDG Base Directory Specification, section 3. */
export function defaultCacheDir(): string {
  const base = process.env["XDG_CACHE_HOME"];
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "bonsai");
}
