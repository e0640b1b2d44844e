/** @file One chat request from its validated body to its events, for every route that answers chats. */

import { randomBytes, randomInt } from "node:crypto";
import type { GenerateRequest, ModelInfo } from "../../engine/contract/request.ts";
import type { BestOfEvent } from "../../best-of-n/result.ts";
import type { AnswerHead } from "../../protocol/wire/answer.ts";
import { toBestOfRequest, type BestOfRequest } from "../../protocol/mapping/best-of-request.ts";
import { chatToGenerateRequest } from "../../protocol/mapping/chat/request.ts";
import type { ChatCompletionRequest } from "../../protocol/wire/chat/request.ts";
import { findRequestedPolicy } from "./best-of.ts";
import type { ServerContext } from "../context.ts";
import { samplingRunner } from "./generation.ts";

/**
 * Exclusive bound of the seeds that the server draws: the largest that `randomInt` takes, and exact in every client's
 * JSON.
 */
export const drawnSeedBound = 2 ** 48 - 1;

/** A chat whose request is valid. Sampling begins when its events are read. */
export interface Chat {
  model: ModelInfo;
  generation: GenerateRequest;
  /** The request for Best-of-N; undefined for plain sampling. */
  asked: BestOfRequest | undefined;
  events: AsyncIterable<BestOfEvent>;
}

/**
 * @param signal Ends the events.
 * @throws BonsaiError when the server takes no requests now, or naming the field at fault
 */
export function openChat({ config, lifecycle, metrics, bestOf }: ServerContext, body: ChatCompletionRequest, signal: AbortSignal): Chat {
  const engine = lifecycle.requireEngine();
  const { model, candidates } = findRequestedPolicy(engine, body.model, config);
  const asked = toBestOfRequest(body, candidates);
  const generation = chatToGenerateRequest(body, model, randomInt(drawnSeedBound), asked?.candidates);
  const run = asked === undefined ? samplingRunner(engine, metrics) : bestOf.runner(engine, model, asked, undefined);
  return { model, generation, asked, events: run(generation, signal) };
}

/** The head of an answer that begins now. @param kind the prefix of its id */
export function answerHead(kind: "chatcmpl" | "cmpl", model: ModelInfo): AnswerHead {
  return {
    id: `${kind}-${randomBytes(12).toString("hex")}`,
    created: Math.floor(Date.now() / 1000),
    model: model.id,
    system_fingerprint: model.fingerprint,
  };
}
