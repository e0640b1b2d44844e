/** @file Hidden states of a frozen policy at the ends of answers, computed once: the inputs of a reward head. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import { locateDecoderWeights } from "../../architectures/decoder/decoder-weights.ts";
import { buildHiddenAtEnds } from "../../architectures/training/training-reward-decoder.ts";
import type { WeightSource } from "../../formats/model-file.ts";
import { ExternalDataWriter } from "../../onnx/external-data.ts";
import { tokenArrays } from "./batch.ts";
import type { EncodedAnswer } from "./comparisons.ts";
import { FrozenWeights } from "../model/decoder-frozen-weights.ts";
import { answerBatches, commonRowLength } from "./comparison-rows.ts";
import { TrainingSession } from "../model/training-session.ts";

/** About how many tokens a run of the graph reads. */
const tokensOfBatch = 2048;
/** About how many answers a row holds. */
const answersOfRow = 8;

export interface HiddenStatesOptions {
  config: DecoderConfig;
  weights: WeightSource;
  /** The model, as errors name it. */
  path: string;
  threads: number;
  temporaryFolder: string;
  /** Ends the work early. */
  stop: AbortSignal;
}

/**
 * The hidden state after the final norm at the last token of each answer, [H] each, by answer; undefined where `stop`
 * came before the end.
 * @throws BonsaiError `invalid_model_file` for weights that are not the config's.
 */
export async function hiddenStatesOf(
  answers: readonly EncodedAnswer[],
  options: HiddenStatesOptions,
): Promise<Map<EncodedAnswer, Float32Array> | undefined> {
  const { config, weights: source, path, threads, temporaryFolder, stop } = options;
  const weights = locateDecoderWeights(config, source, path);
  const length = commonRowLength([], answers);
  const rows = Math.max(1, Math.floor(tokensOfBatch / length));
  const documents = rows * answersOfRow;
  const folder = mkdtempSync(join(temporaryFolder, "bonsai-hidden-states-"));
  const data = new ExternalDataWriter(join(folder, "weights.bin"));
  try {
    const frozen = new FrozenWeights(config, source, data, 32);
    const { program, hidden } = buildHiddenAtEnds({ config, weights, mode: { kind: "frozen" }, rows, length, documents, dropout: false });
    program.output("hidden", hidden);
    const weightFile = { fileName: data.fileName, data: (name: string) => frozen.locate(name) };
    const session = await TrainingSession.open(program, { folder, name: "hidden-states", threads, weights: weightFile });
    try {
      const states = new Map<EncodedAnswer, Float32Array>();
      const found = new Float32Array(documents * config.hiddenSize);
      for (const batch of answerBatches(answers, { rows, length }, documents)) {
        if (stop.aborted) return undefined;
        await session.run(tokenArrays(batch, { rows, length }, documents), { hidden: found });
        batch.answers.forEach((answer, at) => states.set(answer, found.slice(at * config.hiddenSize, (at + 1) * config.hiddenSize)));
        // A signal is heard only between turns of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
      }
      return states;
    } finally {
      await session.dispose();
    }
  } finally {
    data.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
