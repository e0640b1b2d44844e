/** @file A model that computes well until it reads one certain token. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Model } from "../../src/engine/loading/model.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";
import { load } from "./tiny-engine.ts";

/** A model for which the token `poison` has no finite embedding. Returns its folder, which is made under `folder`. */
export function writePoisoned(folder: string, poison: number): string {
  const path = join(folder, "poisoned");
  const { weights } = writeTinyModel(path, { tieWordEmbeddings: false });
  const file = join(path, "model.safetensors");
  const bytes = readFileSync(file);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString()) as Record<string, { data_offsets: [number, number] }>;
  const hiddenSize = weights[0]!.shape[1]!;
  bytes.writeFloatLE(Infinity, 8 + headerBytes + header["model.embed_tokens.weight"]!.data_offsets[0] + 4 * hiddenSize * poison);
  writeFileSync(file, bytes);
  return path;
}

/** The same, loaded with its cache in integers. */
export function loadPoisoned(folder: string, poison: number): Promise<Model> {
  return load(writePoisoned(folder, poison), join(folder, "cache"), { quantization: "q8" });
}
