/**
 * @file From what a person calls a model (a name, a file, a folder, alias=path) to an id and the path that the loader
 * opens.
 */

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { didYouMean } from "../config/suggestion.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { readCatalog, type Catalog } from "./catalog.ts";
import { readJsonObject } from "../formats/json-file.ts";
import { adapterConfigFile, adapterWeightsFile } from "../formats/peft-adapter.ts";
import { scoreFile } from "../formats/safetensors/score-weight.ts";
import { rewardConfigFile } from "../reward/reward-config.ts";
import {
  findBase,
  isImplicitReward,
  isAdapter,
  isPolicyHead,
  isRewardModel,
  policiesOf,
  type FoundModel,
  type ServedModel,
} from "./adapter-base.ts";
import { attachModels, isPolicy } from "./attach-models.ts";
import { isComplete } from "./partial-file.ts";
import { pullModel, type PullOptions } from "./pull.ts";
import { defaultModelsFolder } from "./project-root.ts";

/** Pulled and served when no model is there and none is named. */
export const defaultModelName = "smollm2-135m-instruct";

const largestConfigBytes = 16 * 2 ** 20;

/** Listed first among those that are present, as the one that examples are shown with: the project's own chat model. */
const firstModelName = "teddy-sft";

/**
 * Finds each model of `names`; with none given, every model of the models' folder, and when that has none, pulls
 * {@link defaultModelName}. A name is looked up in the models' folder and then pulled when the catalog knows it.
 * @throws BonsaiError `usage` for an unknown name (with what is there, and the nearest), for a path without a model and
 * for two models of one id; `file_not_found` for a path that does not exist; and what `pull` throws.
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
    const models = present.filter((model) => !isBareEncoder(model));
    if (models.every((model) => isAdapter(model) || isRewardModel(model))) {
      log(`No model that can be served alone is in ${modelsFolder}: pulling ${defaultModelName}.`);
      models.push(await pull(defaultModelName));
    }
    return attachModels(models, present, async (adapter, base) => {
      const hint = catalogName(base, catalog) === undefined ? "" : ` npm run pull -- ${catalogName(base, catalog)} brings it.`;
      const what = isPolicyHead(adapter) ? "policy" : "base";
      log(
        `${adapter.id} is left out: its ${what} ${base ?? "has no name in its adapter_config.json and"} is not in ${modelsFolder}.${hint}`,
      );
      return undefined;
    });
  }
  const find = async (name: string): Promise<FoundModel | undefined> => {
    const model = present.find((candidate) => candidate.id === name) ?? modelAtPath(name);
    if (model !== undefined || !Object.hasOwn(catalog, name)) return model;
    log(`The model ${name} is not in ${modelsFolder}: pulling it.`);
    return pull(name);
  };
  const resolved: FoundModel[] = [];
  for (const name of names) {
    const model = await find(name);
    if (model === undefined) throw unknownModel(name, present, catalog);
    resolved.push(model);
  }
  for (const implicit of resolved.filter(isImplicitReward)) {
    for (const name of policiesOf(implicit)) {
      if (findBase(name, implicit, resolved) !== undefined) continue;
      const folder = [resolve(implicit.path, name), resolve(name)].find((path) => existsSync(path));
      const found = findBase(name, implicit, present.filter(isPolicy)) ?? (folder === undefined ? undefined : modelAtPath(folder));
      if (found === undefined)
        throw new BonsaiError("usage", `${implicit.id} is the implicit reward of ${policiesOf(implicit).join(" over ")}, and ${name} is not here: give its folder or file with a --model of its own, as ${basename(name)}=PATH.`, { param: "--model" }); // prettier-ignore
      resolved.push(found);
    }
  }
  return attachModels(resolved, present, async (adapter, base) => {
    const folder = base === undefined ? undefined : [resolve(adapter.path, base), resolve(base)].find((path) => existsSync(path));
    const inCatalog = catalogName(base, catalog);
    const found =
      (base && findBase(base, adapter, present.filter(isPolicy))) ??
      (folder === undefined ? undefined : modelAtPath(folder)) ??
      (inCatalog && (await find(inCatalog)));
    if (found !== undefined && found !== "" && (!isAdapter(found) || isPolicyHead(adapter))) return found;
    throw new BonsaiError(
      "usage",
      base === undefined
        ? `${adapter.id} is an adapter whose adapter_config.json does not name its base: set base_model_name_or_path to the base's name or folder.`
        : `${adapter.id} is ${isPolicyHead(adapter) ? "a head over the hidden states" : "an adapter"} of ${base}, and no such model is here: give its folder or file with a --model of its own, as ${basename(base)}=PATH.`,
      { param: "--model" },
    );
  });
}

/** An encoder without a head that scores answers nobody: reward models are trained from it. */
function isBareEncoder(model: FoundModel): boolean {
  const config = join(model.path, "config.json");
  if (!existsSync(config) || isRewardModel(model)) return false;
  return readJsonObject(config, largestConfigBytes)["model_type"] === "bert";
}

/** The catalog's model of that name, whatever its case and whoever is named before it. */
function catalogName(name: string | undefined, catalog: Catalog): string | undefined {
  return name === undefined ? undefined : Object.keys(catalog).find((known) => known.toLowerCase() === basename(name).toLowerCase());
}

/**
 * Models of the folder that are whole: those of the catalog with every file, others with weights in their folder. The
 * project's chat model first, then by name.
 */
export async function presentModels(modelsFolder: string, catalog: Catalog): Promise<FoundModel[]> {
  if (!existsSync(modelsFolder)) return [];
  const entries = readdirSync(modelsFolder, { withFileTypes: true });
  const names = entries
    .filter(
      (entry) => !entry.name.startsWith(".") && statSync(join(modelsFolder, entry.name), { throwIfNoEntry: false })?.isDirectory() === true,
    )
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

/** Files of a folder that hold weights, or the config that makes it a Hugging Face folder, an adapter's or a head's. */
function weightsIn(folder: string): string[] {
  const names = readdirSync(folder);
  if (names.includes(adapterConfigFile) && names.includes(adapterWeightsFile)) return [adapterConfigFile];
  if (names.includes(rewardConfigFile) && (names.includes(scoreFile) || isImplicitReward({ id: folder, path: folder })))
    return [rewardConfigFile];
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
  if (first === "config.json" || first === adapterConfigFile || first === rewardConfigFile) return resolve(folder);
  if (weights.length > 1) {
    throw new BonsaiError("usage", `The folder ${folder} holds ${weights.length} GGUF files: name one of ${weights.join(", ")}.`, {
      param: "--model",
    });
  }
  return resolve(folder, first);
}

/** The id under which a model that is named so is served: its alias, or the last part of its name or path. */
export function servedId(text: string): string {
  const [, alias] = existsSync(text) ? [] : (aliasAndPath.exec(text) ?? []);
  return alias ?? basename(resolve(text)).replace(/\.gguf$/i, "");
}

const aliasAndPath = /^([A-Za-z0-9][A-Za-z0-9._:-]*)=(.+)$/s;

/** A path, or `alias=path`; undefined when `text` can only be a name. */
function modelAtPath(text: string): FoundModel | undefined {
  const aliased = aliasAndPath.exec(text)?.[2];
  const path = aliased !== undefined && !existsSync(text) ? aliased : text;
  if (!existsSync(path)) {
    const looksLikePath = path !== text || /[\\/]|\.gguf$/i.test(path);
    if (!looksLikePath) return undefined;
    throw new BonsaiError("file_not_found", `There is no model file or folder at ${resolve(path)}.`, { param: "--model" });
  }
  return { id: servedId(text), path: statSync(path).isDirectory() ? modelIn(path) : resolve(path) };
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
