/** @file Tiny models, loaded into this thread for engine loops of the tests' own. */

import { join } from "node:path";
import { EngineLoop, type EngineLoopOptions } from "../../src/engine/scheduling/engine-loop.ts";
import { loadModels, type Model, type ModelOptions } from "../../src/engine/loading/model.ts";
import { writeTinyModel, type TinyModelOptions } from "../fixtures/tiny-model.ts";
import { roomyLimits } from "./answers.ts";

export type LoadOptions = Partial<Omit<ModelOptions, "path">>;

/** Loads a model with room for every test. `cacheDir` is where its artifacts go. */
export async function load(path: string, cacheDir: string, options: LoadOptions = {}): Promise<Model> {
  const [model] = await loadWithAdapters(path, cacheDir, options);
  return model;
}

/** The same with the models of its adapters. */
export async function loadWithAdapters(path: string, cacheDir: string, options: LoadOptions = {}): ReturnType<typeof loadModels> {
  return loadModels({
    id: "tiny",
    path,
    quantization: "fp32",
    threads: 2,
    spinning: false,
    maxRows: roomyLimits.maxSequences,
    kvCacheBytes: roomyLimits.kvCacheBytes,
    cacheDir,
    maxCacheBytes: 2 ** 40,
    log: () => {},
    ...options,
  });
}

/** Writes a tiny model into a folder of its own under `folder`, and loads it. */
export async function loadTiny(folder: string, tiny: TinyModelOptions = {}, options: LoadOptions = {}): Promise<Model> {
  const path = join(folder, `tiny-${JSON.stringify(tiny).replaceAll(/[^a-zA-Z0-9]+/g, "-")}`);
  writeTinyModel(path, tiny);
  return load(path, join(folder, "cache"), options);
}

/** A model and an engine loop with the same limits. */
export async function loopWithin(
  folder: string,
  limits: Partial<EngineLoopOptions>,
  tiny: TinyModelOptions = {},
  options: LoadOptions = {},
): Promise<{ model: Model; loop: EngineLoop }> {
  const all = { ...roomyLimits, ...limits };
  const model = await loadTiny(folder, tiny, { maxRows: all.maxSequences, kvCacheBytes: all.kvCacheBytes, ...options });
  return { model, loop: new EngineLoop([model], all) };
}
