/** @file Which of the models to measure exist, and what to do about the others. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readJsonObject } from "../src/formats/json-file.ts";
import { partsOf, type MeasuredModel } from "./variants.ts";

const largestConfigBytes = 2 ** 20;

/**
 * The parts of a model that a folder of models lacks: the model itself, or the base of an adapter.
 * @returns names; none where the model is complete
 */
export function missingParts(id: string, modelsFolder: string): string[] {
  const folder = join(modelsFolder, id);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (names.includes("adapter_config.json")) {
    const base = readJsonObject(join(folder, "adapter_config.json"), largestConfigBytes)["base_model_name_or_path"];
    return typeof base === "string" ? missingParts(base, modelsFolder) : [];
  }
  return names.some((name) => name === "config.json" || name.endsWith(".gguf")) ? [] : [id];
}

export interface Presence {
  present: MeasuredModel[];
  /** A line for each model that is left out. */
  absent: string[];
}

/**
 * The models that a folder of models holds, with the reward and value models that they need.
 * @param catalog names of the models that `pull` brings
 */
export function presentModels(models: readonly MeasuredModel[], modelsFolder: string, catalog: readonly string[]): Presence {
  const absence = (name: string): string => `models/${name} is not there${catalog.includes(name) ? ` (npm run pull -- ${name})` : ""}`;
  const found = models.map((model) => ({
    model,
    missing: [...new Set(partsOf(model).flatMap((name) => missingParts(name, modelsFolder)))],
  }));
  return {
    present: found.filter(({ missing }) => missing.length === 0).map(({ model }) => model),
    absent: found
      .filter(({ missing }) => missing.length > 0)
      .map(({ model, missing }) => `${model.id} is left out: ${missing.map(absence).join(", and ")}.`),
  };
}
