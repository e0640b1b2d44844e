/**
 * @file From the configuration to a running engine: finds the models, pulls the default one when there is none, and
 * loads them.
 */

import { startEngine } from "../../engine/worker/start-engine.ts";
import { parseEnsemble } from "../../reward/ensemble.ts";
import { resolveModels } from "../../catalog/resolve-models.ts";
import { defaultCacheDir } from "../../catalog/start-models.ts";
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
