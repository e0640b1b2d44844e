/** @file The stages of a recipe: each is a command that can be run alone and writes to a folder. */

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replaceSection } from "../../src/formats/markdown-section.ts";
import { modelDefaultsFile } from "../../src/catalog/model-defaults.ts";
import { writeWholeFile } from "../../src/formats/written-file.ts";

export interface Stage {
  name: string;
  /** A command of the program, or a script of scripts/, with its arguments; or work in this process. */
  work: { command: string; args: string[] } | { script: string; args: string[] } | { here: () => void };
  /**
   * What decides the result beside the arguments: a value, files, or all files of folders, as they are when the stage
   * begins.
   */
  from: { value?: unknown; files?: string[] };
  /** A training run or a collection, which goes on from what lies in this folder. */
  trains?: string;
}

export interface Recipe {
  about: string;
  stages: () => Stage[];
}

/** The folder of intermediate results. */
export const workFolder = ".recipes";

/** Words of a command line from its flags. */
export function flagWords(flags: Readonly<Record<string, string | number | true>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, String(value)]));
}

/** The files of a trained model that are published. */
const publishedFiles =
  /^(README\.md|.*\.svg|metrics\.jsonl|training\.json|reward\.json|.*config\.json|tokenizer\.json|.*\.safetensors|chat_template\.jinja)$/;
const tokenizerFiles = /^(tokenizer\.json|tokenizer_config\.json|chat_template\.jinja)$/;

export interface Publishing {
  /** Reward model of a policy's Best-of-N, where a request names none. */
  rewardModel?: string | undefined;
  /** What its card says of the data, and of what it cannot do. */
  limits?: string | undefined;
  /** Leaves out an adapter's tokenizer, which comes with the base. */
  withoutTokenizer?: boolean;
}

/** Copies a trained model to its folder of models/, in place of the one that is there. */
export function publishModel(from: string, name: string, { rewardModel, limits, withoutTokenizer = false }: Publishing = {}): void {
  const target = join("models", name);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const isPublished = (file: string): boolean => publishedFiles.test(file) && !(withoutTokenizer && tokenizerFiles.test(file));
  for (const file of readdirSync(from)) if (isPublished(file)) cpSync(join(from, file), join(target, file));
  const card = join(target, "README.md");
  if (limits !== undefined) writeWholeFile(card, [replaceSection(readFileSync(card, "utf8"), "Source and limits", limits)]);
  if (rewardModel !== undefined)
    writeFileSync(join(target, modelDefaultsFile), `${JSON.stringify({ best_of_options: { reward_model: rewardModel } }, undefined, 2)}\n`);
}
