/** @file The files of a trained model: a Hugging Face folder of all weights, or a PEFT adapter with the tokenizer. */

import { writeHuggingFaceFolder, writeTokenizer, type SavedType } from "../../formats/hugging-face-writer.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { writePeftAdapter, type LoraAdapter, type LoraPair } from "../../formats/peft-adapter.ts";
import type { StateTensor } from "../run/trainable-model.ts";

/** Settings of an adapter that its tensors do not tell. */
export type AdapterSettings = Omit<LoraAdapter, "pairs">;

/** Writes the trained model, or the trained adapter, to the output folder. @throws BonsaiError `write_failed`. */
export function writeTrained(
  { outputDir, saveDtype }: { outputDir: string; saveDtype: SavedType },
  base: ModelFile,
  trained: ReadonlyMap<string, StateTensor>,
  adapter: { settings: AdapterSettings } | undefined,
): void {
  if (adapter === undefined) writeTrainedModel(outputDir, base, trained, saveDtype);
  else writeTrainedAdapter(outputDir, base, trained, adapter.settings, saveDtype);
}

/**
 * Writes the trained model to `folder`. Weights that were not trained are the base's own.
 * @throws BonsaiError `write_failed`.
 */
export function writeTrainedModel(folder: string, base: ModelFile, trained: ReadonlyMap<string, StateTensor>, type: SavedType): void {
  const weights = [...base.weights.infos.values()].map(({ name, shape }) => ({
    name,
    shape,
    read: () => trained.get(name)?.data ?? base.weights.readFloat32(name),
  }));
  writeHuggingFaceFolder(folder, base, weights, type);
}

function writeTrainedAdapter(
  folder: string,
  base: ModelFile,
  trained: ReadonlyMap<string, StateTensor>,
  settings: AdapterSettings,
  type: SavedType,
): void {
  writePeftAdapter(folder, { ...settings, pairs: pairsOfFactors(trained) }, type, base.config["model_type"] === "gpt2");
  writeTokenizer(folder, base);
}

const factorName = /^base_model\.model\.(.+)\.lora_A\.weight$/;

/** The pairs of factors among tensors of PEFT's names, by their layers. */
export function pairsOfFactors(trained: ReadonlyMap<string, StateTensor>): Map<string, LoraPair> {
  const pairs = new Map<string, LoraPair>();
  for (const [name, a] of trained) {
    const layer = factorName.exec(name)?.[1];
    if (layer === undefined) continue;
    const b = trained.get(name.replace(/\.lora_A\.weight$/, ".lora_B.weight"))!;
    pairs.set(layer, { a: a.data, b: b.data, inputs: a.shape[1]!, outputs: b.shape[0]! });
  }
  return new Map([...pairs].toSorted(([first], [second]) => (first < second ? -1 : 1)));
}
