/**
 * @file Runs requests on an engine loop and gathers what each sequence answered, in a form whose equality is equality
 * of every bit.
 */

import type { EngineLoop, EngineLoopOptions } from "../../src/engine/scheduling/engine-loop.ts";
import type { GenerateEvent, GenerateRequest, SamplingParams, TokenLogprob } from "../../src/engine/contract/request.ts";
import { plainSampling } from "../../src/engine/sampling/sampler.ts";

export const greedySampling: SamplingParams = { ...plainSampling, temperature: 0 };

export const roomyLimits: EngineLoopOptions = {
  maxSequences: 64,
  maxQueuedSequences: 1000,
  kvCacheBytes: 2 ** 31,
  prefixCacheBytes: 2 ** 24,
  defaultMaxTokens: 64,
};

/** A greedy request for one answer; parts may be given. */
export function requestFor(model: string, parts: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    model,
    prompt: { kind: "text", text: "Hello world" },
    n: 1,
    maxTokens: 8,
    sampling: greedySampling,
    seed: 1,
    stop: [],
    ignoreEos: false,
    logprobs: undefined,
    echo: false,
    ...parts,
  };
}

export interface SequenceAnswer {
  text: string;
  tokenIds: number[];
  logprobs: TokenLogprob[];
  finishReason: string | undefined;
  completionTokens: number | undefined;
}

export interface Answer {
  promptTokens: number | undefined;
  cachedTokens: number | undefined;
  echo: Extract<GenerateEvent, { type: "start" }>["echo"];
  sequences: SequenceAnswer[];
  ended: boolean;
  error: Error | undefined;
}

/** Takes the events of one request and adds them up. */
export class AnswerCollector {
  readonly answer: Answer = {
    promptTokens: undefined,
    cachedTokens: undefined,
    echo: undefined,
    sequences: [],
    ended: false,
    error: undefined,
  };

  constructor(sequences: number) {
    this.answer.sequences = Array.from({ length: sequences }, () => ({
      text: "",
      tokenIds: [],
      logprobs: [],
      finishReason: undefined,
      completionTokens: undefined,
    }));
  }

  add(event: GenerateEvent): void {
    const { answer } = this;
    if (event.type === "start") {
      answer.promptTokens = event.promptTokens;
      answer.cachedTokens = event.cachedTokens;
      answer.echo = event.echo;
    } else if (event.type === "end") answer.ended = true;
    else {
      const sequence = answer.sequences[event.index] as SequenceAnswer;
      if (event.type === "delta") {
        sequence.text += event.text;
        sequence.tokenIds.push(...event.tokenIds);
        sequence.logprobs.push(...(event.logprobs ?? []));
      } else {
        sequence.finishReason = event.reason;
        sequence.completionTokens = event.completionTokens;
      }
    }
  }
}

let nextId = 1;

export interface RunningRequest {
  id: number;
  /** Resolves when the request has ended, failed or been cancelled. */
  done: Promise<Answer>;
}

/**
 * Starts a request.
 * @param onEvent sees each event as it comes
 * @param isFull whether the reader is behind
 */
export function start(
  loop: EngineLoop,
  request: GenerateRequest,
  onEvent: (event: GenerateEvent) => void = () => {},
  isFull?: () => boolean,
): RunningRequest {
  const id = nextId++;
  const collector = new AnswerCollector(request.n);
  const done = new Promise<Answer>((resolve) => {
    loop.start(id, request, {
      event: (event) => {
        collector.add(event);
        onEvent(event);
        if (event.type === "end") resolve(collector.answer);
      },
      failed: (error) => {
        collector.answer.error = error instanceof Error ? error : new Error(String(error));
        resolve(collector.answer);
      },
      ...(isFull === undefined ? {} : { isFull }),
    });
  });
  return { id, done };
}

/** Runs one request to its end. Rejects when it fails. */
export async function run(loop: EngineLoop, request: GenerateRequest): Promise<Answer> {
  const answer = await start(loop, request).done;
  if (answer.error !== undefined) throw answer.error;
  return answer;
}
