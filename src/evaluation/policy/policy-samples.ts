/** @file Samples a policy's answers to all prompts of an evaluation. */

import pLimit from "p-limit";
import { defaultConfig } from "../../config/options.ts";
import type { Engine, Prompt } from "../../engine/contract/request.ts";
import { conversationOf, type PromptRow } from "../../preferences/candidates.ts";
import { sampledPieces, type PromptSampling } from "../sampled-answers.ts";
import type { SampledPolicy } from "./policy-judging.ts";

/** Prompts that are in flight at once. */
export const mostPromptsInFlight = 8;

export interface PolicySamples extends SampledPolicy {
  /** Token ids of the answers: [prompts][samples][tokens]. */
  tokens: number[][][];
}

/** @param onProgress is called with the number of prompts that are answered */
export async function samplePolicy(
  engine: Engine,
  name: string,
  rows: readonly PromptRow[],
  sampling: PromptSampling,
  onProgress: (done: number) => void,
): Promise<PolicySamples> {
  const { samples } = sampling;
  const inFlight = Math.max(1, Math.min(mostPromptsInFlight, Math.floor(defaultConfig().maxSequences / samples)));
  let done = 0;
  const sampled = await pLimit(inFlight).map(rows, async (row, index) => {
    const texts = Array.from({ length: samples }, () => "");
    const ids = Array.from({ length: samples }, (): number[] => []);
    const prompt: Prompt = { kind: "messages", messages: [...conversationOf(row.prompt)] };
    for await (const piece of sampledPieces(engine, name, prompt, index, sampling)) {
      texts[piece.index] += piece.text;
      ids[piece.index]!.push(...piece.tokenIds);
    }
    onProgress(++done);
    return { texts, ids };
  });
  return { name, answers: sampled.map(({ texts }) => texts), tokens: sampled.map(({ ids }) => ids) };
}
