/**
 * @file The command line of `npm run merge -- ADAPTER --output-dir DIR`: writes a base with an adapter added to its
 * weights.
 */

import { existsSync, readdirSync } from "node:fs";
import { Type } from "typebox";
import { resolveModels, servedId } from "../../catalog/resolve-models.ts";
import { annotations, oneOf } from "../../config/option.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { savedTypes, writeHuggingFaceFolder, type SavedType } from "../../formats/hugging-face-writer.ts";
import { mergeAdapter } from "../../formats/merged-adapter.ts";
import { openModel } from "../../formats/open-model.ts";
import { readPeftAdapter } from "../../formats/peft-adapter.ts";
import { runCommand, type Command } from "../run-command.ts";

const annotate = annotations<"Output">();

const MergeSchema = Type.Object({
  outputDir: Type.String(
    annotate({
      group: "Output",
      metavar: "DIR",
      description: "Where the model goes; must be empty or absent",
      whenMissing: "Say where the model goes: --output-dir DIR.",
    }),
  ),
  dtype: oneOf(
    Object.keys(savedTypes) as SavedType[],
    annotate({ group: "Output", description: "Type of the weights that are written", default: "float32" }),
  ),
});

const merge: Command<typeof MergeSchema> = {
  name: "merge",
  about: "Write a base with a LoRA adapter added to its weights, as a Hugging Face folder.",
  usage: ["ADAPTER --output-dir DIR [options]"],
  words: {
    metavar: "ADAPTER",
    description: "Name or folder of an adapter; its base is found as when it is served.",
    minimum: 1,
    maximum: 1,
    whenWrong: "Name one adapter.",
  },
  schema: MergeSchema,
  run: async ({ outputDir, dtype }, { words }) => writeMergedModel(words[0]!, outputDir, dtype),
};

/** @returns the exit status: 0, 1 when it failed, 2 for wrong usage. */
export async function runMergeCommand(args: readonly string[]): Promise<number> {
  return runCommand(merge, args);
}

async function writeMergedModel(name: string, outputDir: string, type: SavedType): Promise<void> {
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
