/** @file Which base an adapter belongs to: by the name that its adapter_config.json keeps, among models that are served, present, on disk or in the catalog. */

import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { readJsonObject } from "../formats/json-file.ts";
import { adapterConfigFile } from "../formats/peft-adapter.ts";

/** A model, or an adapter that does not know its base yet. */
export interface FoundModel {
  /** The name under which it is served. */
  id: string;
  /** A .gguf file, or a folder in Hugging Face's or PEFT's layout. Absolute. */
  path: string;
}

export interface ServedModel extends FoundModel {
  /** Adapters that are served over its weights. */
  adapters?: FoundModel[];
}

const largestConfigBytes = 2 ** 20;

export function isAdapter({ path }: FoundModel): boolean {
  return existsSync(join(path, adapterConfigFile));
}

/** What the adapter says its base is: a name of the Hugging Face hub, a folder, or a name of ours; undefined where it says nothing. */
export function baseNameOf(adapter: FoundModel): string | undefined {
  const name = readJsonObject(join(adapter.path, adapterConfigFile), largestConfigBytes)["base_model_name_or_path"];
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** The model of that name: its id or the last part of the name, whatever its case, or its folder, seen from the adapter's or from here. */
export function findBase<M extends FoundModel>(name: string, adapter: FoundModel, models: readonly M[]): M | undefined {
  const paths = new Set([resolve(adapter.path, name), resolve(name)]);
  const last = basename(name).toLowerCase();
  return (
    models.find(({ path }) => paths.has(path)) ?? models.find(({ id }) => id === name) ?? models.find(({ id }) => id.toLowerCase() === last)
  );
}
