/** @file From the body of POST /v1/chat/completions to a request of the engine. */

import type { Static } from "typebox";
import type { GenerateRequest, ModelInfo } from "../../../engine/contract/request.ts";
import { BonsaiError } from "../../../errors/bonsai-error.ts";
import type { Message } from "../../../text/conversation/message.ts";
import type { ChatCompletionRequest, ChatMessage } from "../../wire/chat/request.ts";
import { toGenerateRequest } from "../generation-request.ts";

/**
 * What a validated body asks of the engine.
 * @param randomSeed Used when the request has no seed.
 * @param candidates Sequences to sample where they are more than come back.
 * @throws BonsaiError `invalid_request` with `param`.
 */
export function chatToGenerateRequest(
  body: ChatCompletionRequest,
  model: ModelInfo,
  randomSeed: number,
  candidates?: number,
): GenerateRequest {
  if (!model.hasChatTemplate) {
    throw new BonsaiError("invalid_request", `The model ${model.id} has no chat template: use /v1/completions.`, { param: "model" });
  }
  const older = body.max_tokens ?? undefined;
  const maxTokens = body.max_completion_tokens ?? older;
  if (older !== undefined && older !== maxTokens) {
    throw new BonsaiError(
      "invalid_request",
      "max_tokens and max_completion_tokens are two names of one limit and differ: send one of them.",
      { param: "max_tokens" },
    );
  }
  if (typeof body.top_logprobs === "number" && body.logprobs !== true) {
    throw new BonsaiError("invalid_request", "top_logprobs needs logprobs: true.", { param: "top_logprobs" });
  }
  return toGenerateRequest(
    body,
    { kind: "messages", messages: toMessages(body.messages, "messages") },
    model,
    {
      maxTokens,
      logprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : undefined,
      echo: false,
    },
    randomSeed,
    candidates,
  );
}

/**
 * Messages as the engine takes them.
 * @param path of the field that holds them, for errors
 * @throws BonsaiError `invalid_request` for a message without content
 */
export function toMessages(messages: readonly Static<typeof ChatMessage>[], path: string): Message[] {
  return messages.map((message, index) => {
    if (message.content === undefined || message.content === null) {
      const param = `${path}[${index}].content`;
      throw new BonsaiError("invalid_request", `${param} is missing: it must be a text or a list of text parts.`, { param });
    }
    const content = typeof message.content === "string" ? message.content : message.content.map((part) => part.text).join("");
    return typeof message.name !== "string" ? { role: message.role, content } : { role: message.role, content, name: message.name };
  });
}
