/**
 * @file Random requests of every kind, from a seed: what a busy server gets, for tests that compare it with an idle
 * one.
 */

import { uniform } from "../../src/random/philox.ts";
import type { GenerateRequest, SamplingParams } from "../../src/engine/contract/request.ts";

/** Draws of one seed, one after the other. */
export class RandomChoices {
  readonly #seed: number;
  #position = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** An integer from `least` to `most`, both inclusive. */
  integer(least: number, most: number): number {
    return least + Math.floor(uniform(this.#seed, this.#position++) * (most - least + 1));
  }

  chance(probability: number): boolean {
    return uniform(this.#seed, this.#position++) < probability;
  }

  of<T>(values: readonly T[]): T {
    return values[this.integer(0, values.length - 1)] as T;
  }

  integers(count: number, least: number, most: number): number[] {
    return Array.from({ length: count }, () => this.integer(least, most));
  }
}

export interface RandomRequestOptions {
  model: string;
  vocabSize: number;
  /** Tokens. */
  longestPrompt: number;
  longestAnswer: number;
}

/** A request, when it arrives and when its client leaves, both in events that all requests together have had. */
export interface TimedRequest {
  request: GenerateRequest;
  arrivesAfterEvents: number;
  /** Own events; undefined: the client stays. */
  leavesAfterEvents: number | undefined;
}

/** The same seed gives the same requests. A third of the prompts begin like an earlier one. */
export function randomRequests(seed: number, count: number, options: RandomRequestOptions): TimedRequest[] {
  const choices = new RandomChoices(seed);
  const prompts: number[][] = [];
  let arrival = 0;
  return Array.from({ length: count }, () => {
    const ids = randomPrompt(choices, prompts, options);
    prompts.push(ids);
    arrival += choices.of([0, 0, 1, 5, 20, 60]);
    const request: GenerateRequest = {
      model: options.model,
      prompt: { kind: "tokens", ids },
      n: choices.integer(1, 6),
      maxTokens: choices.chance(0.05) ? 0 : choices.integer(1, options.longestAnswer),
      sampling: randomSampling(choices, options.vocabSize),
      seed: choices.integer(0, 2 ** 40),
      stop: choices.chance(0.3) ? choices.of([["e"], ["ing", "the"], ["\n", ". "]]) : [],
      ignoreEos: choices.chance(0.3),
      logprobs: choices.of([undefined, undefined, 0, 5]),
      echo: choices.chance(0.2),
    };
    return {
      request,
      arrivesAfterEvents: arrival,
      leavesAfterEvents: choices.chance(0.2) ? choices.integer(0, options.longestAnswer) : undefined,
    };
  });
}

function randomPrompt(choices: RandomChoices, earlier: readonly number[][], { vocabSize, longestPrompt }: RandomRequestOptions): number[] {
  const length = choices.chance(0.3) ? choices.integer(1, 8) : choices.integer(1, longestPrompt);
  const fresh = choices.integers(length, 0, vocabSize - 1);
  if (earlier.length === 0 || choices.chance(0.6)) return fresh;
  const repeated = choices.of(earlier);
  if (choices.chance(0.5)) return repeated;
  return [...repeated.slice(0, choices.integer(1, repeated.length)), ...fresh].slice(0, longestPrompt);
}

function randomSampling(choices: RandomChoices, vocabSize: number): SamplingParams {
  const penalties = choices.chance(0.25);
  return {
    temperature: choices.of([0, 0, 0.2, 0.7, 1, 1.5]),
    topP: choices.of([1, 1, 0.9, 0.5]),
    topK: choices.of([0, 0, 1, 40, 100]),
    minP: choices.of([0, 0, 0.05]),
    presencePenalty: penalties ? choices.of([0, 0.5]) : 0,
    frequencyPenalty: penalties ? choices.of([0, 0.3]) : 0,
    repetitionPenalty: penalties ? choices.of([1, 1.2]) : 1,
    logitBias: choices.chance(0.1) ? [[choices.integer(0, vocabSize - 1), choices.of([-100, 2, 5])]] : [],
  };
}
