/** @file Runs the engine for the prompts of one HTTP request as a single stream of events. */

import type { BestOfEvent } from "../../best-of-n/events.ts";
import type { Engine, GenerateRequest, ModelInfo } from "../../engine/contract/request.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { PromptEvent } from "../../protocol/answer.ts";

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

/** Throws the signal's reason when an engine ended its events because of it. */
function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw signal.reason;
}

/** What runs a request: the engine as it is, or Best-of-N over it. */
export type RunRequest = (request: GenerateRequest, signal: AbortSignal) => AsyncIterable<BestOfEvent>;

/**
 * The events of all requests as they come. When one fails, or the loop is left, all are cancelled.
 * @throws BonsaiError what a request rejects with, or the reason of the signal.
 */
export async function* generateAll(
  run: RunRequest,
  requests: readonly GenerateRequest[],
  signal: AbortSignal,
): AsyncGenerator<PromptEvent, void, undefined> {
  if (requests.length === 1) {
    for await (const event of run(requests[0]!, signal)) yield { prompt: 0, event };
    throwIfAborted(signal);
    return;
  }
  const cancellation = new AbortController();
  const cancel = (): void => cancellation.abort(signal.reason);
  signal.addEventListener("abort", cancel, { once: true });
  const iterators = requests.map((request) => run(request, cancellation.signal)[Symbol.asyncIterator]());
  const advance = async (prompt: number): Promise<{ prompt: number; result: IteratorResult<BestOfEvent> }> => ({
    prompt,
    result: await iterators[prompt]!.next(),
  });
  const pending = new Map(iterators.map((_, prompt) => [prompt, advance(prompt)]));
  try {
    while (pending.size > 0) {
      const { prompt, result } = await Promise.race(pending.values());
      if (result.done === true) {
        pending.delete(prompt);
      } else {
        pending.set(prompt, advance(prompt));
        yield { prompt, event: result.value };
      }
    }
    throwIfAborted(signal);
  } finally {
    signal.removeEventListener("abort", cancel);
    cancellation.abort();
    // The others end; what they reject with is no news.
    for (const [prompt, rest] of pending) {
      rest.catch(() => undefined);
      iterators[prompt]!.return?.().catch(() => undefined);
    }
  }
}
