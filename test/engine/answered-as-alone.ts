/**
 * @file Holds every answer of a busy engine to the one that the same request gives alone on a fresh one, to the bit.
 */

import assert from "node:assert/strict";
import { EngineLoop, type EngineLoopOptions } from "../../src/engine/scheduling/engine-loop.ts";
import type { Model } from "../../src/engine/loading/model.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { answerUnderLoad } from "./answer-under-load.ts";
import { roomyLimits, run, type Answer } from "./answers.ts";
import type { TimedRequest } from "./random-requests.ts";

/**
 * Runs the requests at once and then each alone. A cancelled answer must be the beginning of the one that it would have
 * become.
 */
export async function assertAnsweredAsAlone(
  models: readonly Model[],
  requests: readonly TimedRequest[],
  limits: EngineLoopOptions,
): Promise<void> {
  const loop = new EngineLoop(models, limits);
  const busy = await answerUnderLoad(loop, requests);
  const { decodeRows, decodeSteps, runningSequences, waitingSequences, kvTokensReserved } = loop.stats();
  assert.ok(decodeRows > 2 * decodeSteps, "the requests did not run together");
  assert.deepEqual([runningSequences, waitingSequences, kvTokensReserved], [0, 0, 0], "something was left behind");
  for (const [index, { request }] of requests.entries()) {
    const alone = await run(new EngineLoop(models, roomyLimits), request);
    const answer = busy[index]!;
    const context = `request ${index} of ${JSON.stringify({ ...request, prompt: undefined })}`;
    if (answer.error === undefined) {
      assert.deepEqual({ ...answer, cachedTokens: 0 }, { ...alone, cachedTokens: 0 }, context);
    } else {
      assert.ok(answer.error instanceof BonsaiError && answer.error.code === "cancelled", context);
      assertBegins(answer, alone, context);
    }
  }
}

function assertBegins(answer: Answer, whole: Answer, context: string): void {
  for (const [index, { text, tokenIds, logprobs }] of answer.sequences.entries()) {
    const other = whole.sequences[index]!;
    assert.deepEqual(tokenIds, other.tokenIds.slice(0, tokenIds.length), context);
    assert.deepEqual(logprobs, other.logprobs.slice(0, logprobs.length), context);
    assert.ok(other.text.startsWith(text), context);
  }
}
