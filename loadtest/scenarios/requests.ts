/**
 * @file The requests of scenarios. Those about one prompt have the same seed in every scenario, so that all variants
 * choose among the same candidates.
 */

import type { Message } from "../../src/text/conversation/message.ts";
import { chatBody, type Variant } from "../variants.ts";

export function seedOf(prompt: number): number {
  return prompt + 1;
}

/** The seed of the baseline's answers, which no variant chooses among. */
export function baselineSeedOf(prompt: number): number {
  return 1_000_000 + prompt;
}

/** Bodies of streamed requests by their number, from 0: each asks the next prompt, the first again after the last. */
export function streamedBodies(variant: Variant, prompts: readonly Message[][]): (index: number) => unknown {
  return (index) => chatBody(variant, prompts[index % prompts.length]!, seedOf(index), { stream: true });
}
