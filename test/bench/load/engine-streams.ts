/** @file Many streams of one engine at once, timed. */

import { setMaxListeners } from "node:events";
import type { Engine, GenerateRequest, RequestTimings } from "../../../src/engine/contract/request.ts";

/** Tokens a second of a batch in which every stream decodes at every step. */
export async function decodeRate(engine: Engine, requests: readonly GenerateRequest[], windowTokens: number): Promise<number> {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const counts = requests.map(({ n }) => Array.from({ length: n }, () => 0));
  const least = (): number => Math.min(...counts.flat());
  let generated = 0;
  let startMs = 0;
  let startGenerated = 0;
  let rate = 0;
  // The window opens when the last stream has its first token and closes when it has `windowTokens` more; all others
  // decode on meanwhile.
  const follow = async (index: number): Promise<void> => {
    for await (const event of engine.generate(requests[index] as GenerateRequest, controller.signal)) {
      if (event.type === "finish" && rate === 0) throw new Error("A stream ended before the window closed: its maxTokens are too few.");
      if (event.type !== "delta") continue;
      const ofRequest = counts[index] as number[];
      ofRequest[event.index] = (ofRequest[event.index] as number) + event.tokenIds.length;
      generated += event.tokenIds.length;
      if (startMs === 0 && least() >= 1) {
        startMs = performance.now();
        startGenerated = generated;
      }
      if (rate === 0 && least() >= windowTokens + 1) {
        rate = ((generated - startGenerated) / (performance.now() - startMs)) * 1000;
        controller.abort();
      }
    }
  };
  await Promise.all(
    requests.map((_, index) =>
      follow(index).catch((error: unknown) => {
        if (!controller.signal.aborted) throw error;
      }),
    ),
  );
  return rate;
}

/** Milliseconds from a request to the first token of the last of its sequences. */
export async function firstTokensMs(engine: Engine, request: GenerateRequest): Promise<number> {
  const waiting = new Set(Array.from({ length: request.n }, (_, index) => index));
  const startMs = performance.now();
  let ms: number | undefined;
  for await (const event of engine.generate(request)) {
    if (event.type !== "delta") continue;
    waiting.delete(event.index);
    if (waiting.size === 0) ms ??= performance.now() - startMs;
  }
  if (ms === undefined) throw new Error("A sequence ended without a token.");
  return ms;
}

/** Seconds from sending all requests to the end of the last, and what each took. */
export async function wholeRun(
  engine: Engine,
  requests: readonly GenerateRequest[],
): Promise<{ seconds: number; timings: RequestTimings[] }> {
  const startMs = performance.now();
  const timings = await Promise.all(
    requests.map(async (request): Promise<RequestTimings> => {
      for await (const event of engine.generate(request)) if (event.type === "end") return event.timings;
      throw new Error("A stream ended without its end event.");
    }),
  );
  return { seconds: (performance.now() - startMs) / 1000, timings };
}

/** Resolves when nothing runs or waits any more. */
export async function idle(engine: Engine): Promise<void> {
  while (engine.stats().runningSequences + engine.stats().waitingSequences > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}
