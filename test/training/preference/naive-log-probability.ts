/** @file The log-probability of an answer by the slow twin of a decoder. */

import type { NaiveDecoder } from "../../architectures/naive-decoder.ts";

/** log p of the answer's tokens after the prompt's, nats. */
export function naiveLogProbability(decoder: NaiveDecoder, prompt: readonly number[], answer: readonly number[]): number {
  const logits = decoder.logits([...prompt, ...answer]);
  return answer.reduce((sum, id, at) => {
    const row = logits[prompt.length - 1 + at]!;
    const largest = Math.max(...row);
    const mass = row.reduce((total, value) => total + Math.exp(value - largest), 0);
    return sum + row[id]! - largest - Math.log(mass);
  }, 0);
}
