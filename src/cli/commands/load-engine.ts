/**
 * @file From the configuration to a running engine: finds the models, pulls the default one when there is none, and
 * loads them.
 */

import { didYouMean } from "../../config/suggestion.ts";
import type { ModelInfo } from "../../engine/contract/request.ts";
import { startEngine } from "../../engine/worker/start-engine.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { parseEnsemble } from "../../reward/ensemble.ts";
import { resolveModels } from "../../catalog/resolve-models.ts";
import { defaultCacheDir } from "../../catalog/start-models.ts";
import type { StartEngine } from "./serve.ts";

export const loadEngine: StartEngine = async (config, log) => {
  const engine = await startEngine({
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
  try {
    checkRewardModel(config.rewardModel, engine.models);
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
};

/** Throws `usage` where --reward-model names what is no reward model of answers. */
function checkRewardModel(name: string, models: readonly ModelInfo[]): void {
  const ids = models.filter(({ kind, reward }) => kind === "reward" && reward?.form !== "value").map(({ id }) => id);
  if (name === "" || ids.includes(name)) return;
  throw new BonsaiError(
    "usage",
    `--reward-model names ${JSON.stringify(name)}, which is no reward model that is served.${didYouMean(name, ids)}` +
      (ids.length === 0 ? " None is served." : ` There are: ${ids.join(", ")}.`),
    { param: "--reward-model" },
  );
}
