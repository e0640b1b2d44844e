/** @file `npm run merge -- ADAPTER --output-dir DIR`: writes a base with an adapter added to its weights, as a model of its own. */

import { existsSync, readdirSync } from "node:fs";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { parseArguments } from "./command-arguments.ts";
import { savedTypes, writeHuggingFaceFolder, type SavedType } from "../../formats/hugging-face-writer.ts";
import { mergeAdapter } from "../../formats/merged-adapter.ts";
import { openModel } from "../../formats/open-model.ts";
import { readPeftAdapter } from "../../formats/peft-adapter.ts";
import { resolveModels, servedId } from "../../catalog/resolve-models.ts";

const types = Object.keys(savedTypes) as SavedType[];

const help = `Write a base with a LoRA adapter added to its weights, as a Hugging Face folder.

Usage: npm run merge -- ADAPTER --output-dir DIR [--dtype ${types.join("|")}]

  ADAPTER            name or folder of an adapter; its base is found as when it is served
  --output-dir DIR   where the model goes; must be empty or absent
  --dtype TYPE       of the weights that are written (default float32)
  --help, -h`;

/** @returns the exit status: 0, 1 when it failed, 2 for wrong usage. */
export async function runMergeCommand(args: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArguments(args, flags);
    if (values.help === true) {
      console.log(help);
      return 0;
    }
    const [name, ...rest] = positionals;
    if (name === undefined || rest.length > 0) throw new BonsaiError("usage", "Name one adapter. See --help.");
    const { "output-dir": outputDir, dtype } = values;
    if (outputDir === undefined) throw new BonsaiError("usage", "Say where the model goes: --output-dir DIR.", { param: "--output-dir" });
    const type = types.find((known) => known === dtype);
    if (type === undefined)
      throw new BonsaiError("usage", `--dtype is ${JSON.stringify(dtype)}; use ${types.join(", ")}.`, { param: "--dtype" });
    await merge(name, outputDir, type);
    return 0;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`merge: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}

async function merge(name: string, outputDir: string, type: SavedType): Promise<void> {
  if (existsSync(outputDir) && readdirSync(outputDir).length > 0)
    throw new BonsaiError("usage", `${outputDir} is not empty.`, { param: "--output-dir" });
  const served = await resolveModels([name], console.error);
  const adapter = served.flatMap(({ adapters = [] }) => adapters).find(({ id }) => id === servedId(name));
  const base = served.find(({ adapters = [] }) => adapters.includes(adapter!));
  if (adapter === undefined || base === undefined) throw new BonsaiError("usage", `${name} is no adapter, but a model of its own.`);
  const file = openModel(base.path);
  try {
    const merged = mergeAdapter(file.weights, readPeftAdapter(adapter.path, String(file.config["model_type"])));
    const weights = [...merged.infos.values()].map(({ name: weight, shape }) => ({
      name: weight,
      shape,
      read: () => merged.readFloat32(weight),
    }));
    writeHuggingFaceFolder(outputDir, file, weights, type);
  } finally {
    file.weights.close();
  }
  console.log(`${adapter.id} merged into ${base.id} is in ${outputDir}.`);
}

const flags = {
  help: { type: "boolean", short: "h" },
  "output-dir": { type: "string" },
  dtype: { type: "string", default: "float32" },
} as const;
