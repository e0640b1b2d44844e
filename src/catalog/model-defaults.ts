/**
 * @file bonsai.json, which a policy's folder may hold: what requests to it get where they do not say, in the words of a
 * request.
 */

import { dirname } from "node:path";
import { existsSync, statSync } from "node:fs";
import Type from "typebox";
import Value from "typebox/value";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { readJsonObject } from "../formats/json-file.ts";
import { pathInFolder } from "../formats/safetensors/safetensors-weights.ts";

export const modelDefaultsFile = "bonsai.json";

export interface ModelDefaults {
  /** Id of the reward model of its Best-of-N; where no such model is served, as if there were none. */
  rewardModel?: string;
}

const largestFileBytes = 2 ** 16;
const closed = { additionalProperties: false } as const;

const DefaultsFile = Type.Object(
  { best_of_options: Type.Object({ reward_model: Type.String({ minLength: 1, maxLength: 1024 }) }, closed) },
  closed,
);

/**
 * @param path of a model: a folder, or a file that has bonsai.json beside it
 * @throws BonsaiError `invalid_model_file`, naming the file and what it may hold, also for a link out of the folder.
 */
export function readModelDefaults(path: string): ModelDefaults {
  const folder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? path : dirname(path);
  const file = pathInFolder(folder, modelDefaultsFile);
  if (!existsSync(file)) return {};
  const value = readJsonObject(file, largestFileBytes);
  if (!Value.Check(DefaultsFile, value))
    throw new BonsaiError("invalid_model_file", `${file} must be {"best_of_options": {"reward_model": NAME}} and nothing else.`);
  return { rewardModel: value.best_of_options.reward_model };
}
