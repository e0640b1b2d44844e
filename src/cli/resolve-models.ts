/** @file From what a person calls a model (a name, a file, a folder, alias=path) to an id and the path that the loader opens. */

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { didYouMean } from "../config/suggestion.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { readCatalog, type Catalog } from "./catalog.ts";
import { adapterConfigFile, adapterWeightsFile } from "../formats/peft-adapter.ts";
import { baseNameOf, findBase, isAdapter, type FoundModel, type ServedModel } from "./adapter-base.ts";
import { isComplete } from "./partial-file.ts";
import { pullModel, type PullOptions } from "./pull.ts";
import { defaultModelsFolder } from "./project-root.ts";

/** Pulled and served when no model is there and none is named. */
export const defaultModelName = "smollm2-135m-instruct";

/** Listed first among those that are present, as the one that examples are shown with: the project's own chat model. */
const firstModelName = "teddy-sft";

/**
 * Finds each model of `names`; with none given, every model of the models' folder, and when that has none, pulls
 * {@link defaultModelName}. A name is looked up in the models' folder and then pulled when the catalog knows it.
 * @throws BonsaiError `usage` for an unknown name (with what is there, and the nearest), for a path without a model and for
 * two models of one id; `file_not_found` for a path that does not exist; and what `pull` throws.
 */
export async function resolveModels(
  names: readonly string[],
  log: (line: string) => void,
  options: PullOptions = {},
): Promise<ServedModel[]> {
  const modelsFolder = options.modelsFolder ?? defaultModelsFolder();
  const catalog = options.catalog ?? (await readCatalog());
  const present = await presentModels(modelsFolder, catalog);
  const pull = async (name: string): Promise<FoundModel> => {
    const folder = await pullModel(name, log, { ...options, modelsFolder, catalog });
    return { id: name, path: modelIn(folder) };
  };
  if (names.length === 0) {
    if (!present.every(isAdapter))
      return withAdapters(present, present, (adapter, base) => {
        log(
          `${adapter.id} is left out: its base ${base} is not in ${modelsFolder}.${Object.hasOwn(catalog, base) ? ` npm run pull -- ${base} brings it.` : ""}`,
        );
      });
    log(`No model is in ${modelsFolder}: pulling ${defaultModelName}.`);
    return [await pull(defaultModelName)];
  }
  const resolved: FoundModel[] = [];
  for (const name of names) {
    const model = present.find((candidate) => candidate.id === name) ?? modelAtPath(name);
    if (model !== undefined) resolved.push(model);
    else if (Object.hasOwn(catalog, name)) {
      log(`The model ${name} is not in ${modelsFolder}: pulling it.`);
      resolved.push(await pull(name));
    } else throw unknownModel(name, present, catalog);
  }
  requireUniqueIds(resolved);
  return withAdapters(resolved, present, (adapter, base) => {
    throw new BonsaiError(
      "usage",
      `${adapter.id} is an adapter of ${base}, and no such model is here: give its folder or file with a --model of its own, as ${basename(base)}=PATH.`,
      { param: "--model" },
    );
  });
}

/** Puts each adapter to its base, which is served too. @param absent hears of an adapter whose base is nowhere */
function withAdapters(
  models: readonly FoundModel[],
  present: readonly FoundModel[],
  absent: (adapter: FoundModel, base: string) => void,
): ServedModel[] {
  const served: ServedModel[] = models.filter((model) => !isAdapter(model)).map((model) => ({ ...model }));
  for (const adapter of models.filter(isAdapter)) {
    const name = baseNameOf(adapter);
    const base = findBase(name, adapter, served) ?? baseBeside(name, adapter, present, served);
    if (base === undefined) absent(adapter, name);
    else (base.adapters ??= []).push(adapter);
  }
  return served;
}

/** A base that was not named itself, added to those that are served. */
function baseBeside(name: string, adapter: FoundModel, present: readonly FoundModel[], served: ServedModel[]): ServedModel | undefined {
  const folder = [resolve(adapter.path, name), resolve(name)].find((path) => existsSync(path));
  const found = findBase(name, adapter, present) ?? (folder === undefined ? undefined : modelAtPath(folder));
  if (found === undefined || isAdapter(found)) return undefined;
  const base = { ...found };
  served.push(base);
  return base;
}

/** Models of the folder that are whole: those of the catalog with every file, others with weights in their folder. The project's chat model first, then by name. */
export async function presentModels(modelsFolder: string, catalog: Catalog): Promise<FoundModel[]> {
  if (!existsSync(modelsFolder)) return [];
  const entries = readdirSync(modelsFolder, { withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.name.startsWith(".") && statSync(join(modelsFolder, entry.name)).isDirectory())
    .map((entry) => entry.name);
  const found: FoundModel[] = [];
  const rank = (name: string): string => (name === firstModelName ? "" : name);
  for (const name of names.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1))) {
    const folder = join(modelsFolder, name);
    const files = Object.hasOwn(catalog, name) ? (catalog[name]?.files ?? []) : [];
    const whole = await Promise.all(files.map(async (file) => isComplete({ path: join(folder, file.path), bytes: file.bytes })));
    if (whole.every(Boolean) && weightsIn(folder).length > 0) found.push({ id: name, path: modelIn(folder) });
  }
  return found;
}

/** Files of a folder that hold weights, or the config that makes it a Hugging Face folder or an adapter's. */
function weightsIn(folder: string): string[] {
  const names = readdirSync(folder);
  if (names.includes(adapterConfigFile) && names.includes(adapterWeightsFile)) return [adapterConfigFile];
  const isHuggingFace = names.includes("config.json") && names.some((name) => name.endsWith(".safetensors"));
  return isHuggingFace ? ["config.json"] : names.filter((name) => name.toLowerCase().endsWith(".gguf")).toSorted();
}

/** What the loader opens for a folder: the folder itself in Hugging Face layout, else its only GGUF file. */
function modelIn(folder: string): string {
  const weights = weightsIn(folder);
  const [first] = weights;
  if (first === undefined) {
    throw new BonsaiError(
      "usage",
      `The folder ${folder} holds no model: config.json with .safetensors files, adapter_config.json with adapter_model.safetensors, or a .gguf file would be right.`,
      { param: "--model" },
    );
  }
  if (first === "config.json" || first === adapterConfigFile) return resolve(folder);
  if (weights.length > 1) {
    throw new BonsaiError("usage", `The folder ${folder} holds ${weights.length} GGUF files: name one of ${weights.join(", ")}.`, {
      param: "--model",
    });
  }
  return resolve(folder, first);
}

/** A path, or `alias=path`; undefined when `text` can only be a name. */
function modelAtPath(text: string): FoundModel | undefined {
  const [, alias, aliased] = /^([A-Za-z0-9][A-Za-z0-9._:-]*)=(.+)$/s.exec(text) ?? [];
  const path = aliased !== undefined && !existsSync(text) ? aliased : text;
  if (!existsSync(path)) {
    const looksLikePath = path !== text || /[\\/]|\.gguf$/i.test(path);
    if (!looksLikePath) return undefined;
    throw new BonsaiError("file_not_found", `There is no model file or folder at ${resolve(path)}.`, { param: "--model" });
  }
  const id = path === text ? basename(resolve(path)).replace(/\.gguf$/i, "") : (alias ?? "");
  return { id, path: statSync(path).isDirectory() ? modelIn(path) : resolve(path) };
}

function unknownModel(name: string, present: readonly FoundModel[], catalog: Catalog): BonsaiError {
  const ids = present.map((model) => model.id);
  const pullable = Object.keys(catalog).filter((candidate) => !ids.includes(candidate));
  const parts = [
    `No model is called ${JSON.stringify(name)}.${didYouMean(name, [...ids, ...pullable])}`,
    ids.length === 0 ? "None is in the models' folder yet." : `There: ${ids.join(", ")}.`,
    ...(pullable.length === 0 ? [] : [`To pull: ${pullable.join(", ")}.`]),
    "A path of a .gguf file or of a Hugging Face folder does too.",
  ];
  return new BonsaiError("usage", parts.join(" "), { param: "--model" });
}

function requireUniqueIds(models: readonly FoundModel[]): void {
  for (const [index, model] of models.entries()) {
    const first = models.findIndex((candidate) => candidate.id === model.id);
    if (first !== index) {
      throw new BonsaiError(
        "usage",
        `Two models are called ${model.id} (${models[first]?.path} and ${model.path}): give one another name with ALIAS=PATH.`,
        {
          param: "--model",
        },
      );
    }
  }
}
