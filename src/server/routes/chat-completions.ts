/** @file POST /v1/chat/completions. */

import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { toldAnswers } from "../../protocol/mapping/best-of-request.ts";
import { chatCompletionRequest } from "../../protocol/wire/chat/request.ts";
import { ChatChunkEncoder, ChatCompletionCollector } from "../../protocol/mapping/chat/response.ts";
import { ChatCompletion } from "../../protocol/wire/chat/response.ts";
import { answerHead, openChat } from "../generation/chat.ts";
import type { ServerContext } from "../context.ts";
import { reportFailure } from "../plugins/errors.ts";
import { sendJson } from "../generation/json-answer.ts";
import { keepAliveIntervalMs, sendEventStream } from "../generation/server-sent-events.ts";
import { eventStreamEvent, generationFailures } from "./answers.ts";

export function chatCompletionsRoute(server: FastifyInstance, context: ServerContext): void {
  const { config, lifecycle } = context;
  server.withTypeProvider<TypeBoxTypeProvider>().post(
    "/v1/chat/completions",
    {
      config: { generates: true },
      schema: {
        tags: ["generation"],
        operationId: "createChatCompletion",
        summary: "Answer a conversation",
        body: chatCompletionRequest(config),
        response: {
          200: {
            description: "The answer; with `stream: true` its chunks as events, then `[DONE]`.",
            content: {
              "application/json": { schema: ChatCompletion },
              "text/event-stream": { schema: eventStreamEvent("ChatCompletionChunk") },
            },
          },
          ...generationFailures,
        },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const controller = lifecycle.signalFor(reply);
      const { model, generation, asked, events } = openChat(context, body, controller.signal);
      const head = answerHead("chatcmpl", model);
      if (body.stream === true) {
        const encoder = new ChatChunkEncoder(
          head,
          toldAnswers(body, asked),
          body.stream_options?.include_usage ?? false,
          asked?.returnCandidates,
        );
        return sendEventStream(reply, events, (event) => encoder.encode(event), {
          controller,
          keepAliveMs: keepAliveIntervalMs,
          stallTimeoutMs: config.streamStallTimeoutSeconds * 1000,
          reportFailure: (failure) => reportFailure(request, failure),
        });
      }
      const collector = new ChatCompletionCollector(body.n ?? 1);
      for await (const event of events) collector.add(event);
      return sendJson(reply, collector.answer(head, generation.logprobs !== undefined, asked?.returnCandidates));
    },
  );
}
