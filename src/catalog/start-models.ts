/** @file An engine in this process for the models that a command names. */

import { homedir } from "node:os";
import { join } from "node:path";
import { defaultConfig, type Quantization } from "../config/options.ts";
import type { NamedEnsemble } from "../engine/contract/ensembles.ts";
import type { Engine } from "../engine/contract/request.ts";
import { startEngine } from "../engine/worker/start-engine.ts";
import { servedRewardModel, type RewardModel } from "../reward/reward-model.ts";
import type { ServedModel } from "./adapter-base.ts";
import { servedId } from "./resolve-models.ts";

export interface StartOptions {
  quantization: Quantization;
  ensembles?: readonly NamedEnsemble[];
  /** Takes lines for the person who waits. */
  log: (line: string) => void;
}

/** Loads models with the server's defaults. @throws BonsaiError of the engine, for a model that cannot be loaded. */
export async function startModels(models: readonly ServedModel[], { quantization, ensembles, log }: StartOptions): Promise<Engine> {
  return startEngine({
    ...defaultConfig(),
    quantization,
    models: [...models],
    ...(ensembles === undefined ? {} : { ensembles: [...ensembles] }),
    cacheDir: defaultCacheDir(),
    log,
  });
}

/** The reward model that an engine serves for a name or folder. @throws BonsaiError for what is no reward model. */
export function rewardModelOf(engine: Engine, nameOrFolder: string): RewardModel {
  const id = servedId(nameOrFolder);
  return servedRewardModel(
    engine,
    engine.models.find((model) => model.id === id)!,
  );
}

/** XDG Base Directory Specification, section 3. */
export function defaultCacheDir(): string {
  const base = process.env["XDG_CACHE_HOME"];
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "bonsai");
}
