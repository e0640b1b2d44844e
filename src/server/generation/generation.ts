/**
 * @file Runs the prompts of one HTTP request: the models by name, plain sampling, and several prompts as one stream of
 * events.
 */

import type { BestOfEvent } from "../../best-of-n/result.ts";
import type { Engine, GenerateRequest, ModelInfo } from "../../engine/contract/request.ts";
import { EventQueue } from "../../engine/worker/event-queue.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { PromptEvent } from "../../protocol/mapping/completions/response.ts";
import type { Metrics } from "../metrics.ts";

/** The model of that name, of either kind. Throws `model_not_found`. */
export function findModel(engine: Engine, id: string): ModelInfo {
  const model = engine.models.find((candidate) => candidate.id === id);
  if (model !== undefined) return model;
  throw new BonsaiError(
    "model_not_found",
    `The model ${JSON.stringify(id.length > 64 ? `${id.slice(0, 64)}…` : id)} is not served; GET /v1/models lists those that are.`,
    { param: "model" },
  );
}

/**
 * The policy model of that name.
 * @throws BonsaiError `model_not_found`, or `invalid_request` for a model that writes no answers.
 */
export function findPolicy(engine: Engine, id: string): ModelInfo {
  const model = findModel(engine, id);
  if (model.kind === "policy") return model;
  throw new BonsaiError("invalid_request", `The model ${id} scores answers and writes none: use /v1/rewards or /v1/rerank.`, {
    param: "model",
  });
}

/** Runs one prompt: plain sampling, or Best-of-N. Its events reject when the signal aborts. */
export type RunRequest = (request: GenerateRequest, signal: AbortSignal) => AsyncGenerator<BestOfEvent, void, undefined>;

/** Runs plain sampling and measures its times. */
export function samplingRunner(engine: Engine, metrics: Metrics): RunRequest {
  return async function* sample(request, signal) {
    const observe = metrics.observer(request.model);
    for await (const event of engine.generate(request, signal)) {
      observe(event);
      yield event;
    }
    signal.throwIfAborted();
  };
}

/**
 * The events of all prompts of a request as they come. Each prompt has at most one event in the queue, so a client that
 * reads slowly pauses them all. When one prompt fails, or the loop is left, all are cancelled.
 * @throws BonsaiError what a prompt rejects with, or the reason of the signal
 */
export async function* generateAll(
  run: RunRequest,
  requests: readonly GenerateRequest[],
  signal: AbortSignal,
): AsyncGenerator<PromptEvent, void, undefined> {
  const cancellation = new AbortController();
  // A signal for each prompt, because Node warns of more than ten listeners of one signal.
  const prompts = requests.map((request) => run(request, AbortSignal.any([signal, cancellation.signal])));
  const queue = new EventQueue<{ prompt: number; result: IteratorResult<BestOfEvent, void> }>();
  const advance = (prompt: number): void => {
    prompts[prompt]!.next().then(
      (result) => queue.push({ prompt, result }),
      (error: Error) => queue.fail(error),
    );
  };
  prompts.forEach((_, prompt) => advance(prompt));
  let running = prompts.length;
  try {
    for await (const { prompt, result } of queue) {
      if (result.done === true) {
        if (--running === 0) return;
      } else {
        yield { prompt, event: result.value };
        advance(prompt);
      }
    }
  } finally {
    cancellation.abort();
    for (const events of prompts) events.return().catch(() => undefined);
  }
}
