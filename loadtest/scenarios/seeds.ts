/**
 * @file Seeds of requests: those about one prompt are the same in every scenario, so that all variants choose among the
 * same candidates.
 */

export function seedOf(prompt: number): number {
  return prompt + 1;
}

/** The seed of the baseline's answers, which no variant chooses among. */
export function baselineSeedOf(prompt: number): number {
  return 1_000_000 + prompt;
}
