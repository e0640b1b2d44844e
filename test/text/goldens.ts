/**
 * @file Goldens of Hugging Face's Rust tokenizers (test/oracle/tokenizers.py) and where the real models' own files lie.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TokenizerFiles } from "../../src/formats/model-file.ts";

export interface Goldens {
  ids: number[][];
  idsWithoutSpecial: number[][];
  decoded: { ids: number[]; text: string; withSpecial: string }[];
}

export interface Kind extends Goldens {
  name: string;
  tokenizerJson: Record<string, unknown>;
}

const root = join(import.meta.dirname, "../..");
const oracle = join(root, "test/oracle");
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

/** Small tokenizers of every kind, trained for the purpose. */
export function smallTokenizers(): { texts: string[]; kinds: Kind[] } {
  const { texts, kinds } = readJson(join(oracle, "tokenizers.json")) as { texts: string[]; kinds: Kind[] };
  const models = new Map(kinds.map((kind) => [kind.name, kind.tokenizerJson["model"]]));
  for (const { tokenizerJson } of kinds) {
    if (typeof tokenizerJson["model"] === "string") tokenizerJson["model"] = models.get(tokenizerJson["model"]);
  }
  return { texts, kinds };
}

export function realGoldens(name: "stories260k" | "smollm2"): Goldens & { texts: string[] } {
  return readJson(join(oracle, `tokenizers-${name}.json`)) as Goldens & { texts: string[] };
}

export function filesOf(tokenizerJson: Record<string, unknown>): TokenizerFiles {
  return { tokenizerJson, tokenizerConfig: {}, chatTemplate: undefined };
}

/** A file of the data that lies beside the project, or undefined where it is absent. */
export function sharedFile(path: string): string | undefined {
  const file = join(root, "../shared/data", path);
  return existsSync(file) ? file : undefined;
}

export function storiesFiles(): TokenizerFiles | undefined {
  const file = sharedFile("models/stories260K/tokenizer.json");
  return file === undefined ? undefined : filesOf(readJson(file) as Record<string, unknown>);
}

/** The pulled SmolLM2, or the one that BONSAI_TEST_SMOLLM2 names. */
export function smollm2Path(): string | undefined {
  const named = process.env["BONSAI_TEST_SMOLLM2"];
  if (named !== undefined && named !== "") return named;
  const folder = join(root, "models/smollm2-135m-instruct");
  const file = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith(".gguf")) : undefined;
  return file === undefined ? undefined : join(folder, file);
}
