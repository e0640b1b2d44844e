/** @file A model that writes text, wherever it runs: in this process, or behind an address. */

import { candidateSeed } from "../random/philox.ts";
import type { Engine } from "../engine/contract/request.ts";
import { plainSampling } from "../engine/sampling/sampler.ts";
import type { Message } from "../text/conversation/message.ts";

export interface TextRequest {
  messages: readonly Message[];
  /** How many answers. */
  count: number;
  /**
   * Integer in [0, 2^53). Answer i is drawn by `candidateSeed(seed, i)`, and so comes back alone from a request with
   * that seed.
   */
  seed: number;
  /** 0 takes the most likely token each time. */
  temperature: number;
  /** Longest answer, in tokens. */
  maxTokens: number;
}

export interface WrittenAnswer {
  text: string;
  /** It was as long as it might be, and perhaps not at its end. */
  isCut: boolean;
  seed: number;
}

export interface TextModel {
  /** The name in reports. */
  readonly name: string;
  /** Answers in order. Aborting the signal rejects. */
  answer: (request: TextRequest, signal?: AbortSignal) => Promise<WrittenAnswer[]>;
}

/** A model that an engine of this process holds. */
export function engineTextModel(engine: Engine, model: string): TextModel {
  return {
    name: model,
    async answer({ messages, count, seed, temperature, maxTokens }, signal) {
      const answers = Array.from({ length: count }, (_, index) => ({ text: "", isCut: false, seed: candidateSeed(seed, index) }));
      const events = engine.generate(
        {
          model,
          prompt: { kind: "messages", messages },
          n: count,
          maxTokens,
          sampling: { ...plainSampling, temperature },
          seed,
          stop: [],
          ignoreEos: false,
          logprobs: undefined,
          echo: false,
        },
        signal,
      );
      for await (const event of events) {
        if (event.type === "delta") answers[event.index]!.text += event.text;
        else if (event.type === "finish") answers[event.index]!.isCut = event.reason === "length";
      }
      return answers;
    },
  };
}
