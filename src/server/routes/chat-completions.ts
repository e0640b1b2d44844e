/** @file POST /v1/chat/completions. */

import { randomBytes, randomInt } from "node:crypto";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import type { AnswerHead } from "../../protocol/answer.ts";
import { toBestOfRequest, toldAnswers } from "../../protocol/best-of-request.ts";
import { chatCompletionRequest, chatToGenerateRequest } from "../../protocol/chat/completions/request.ts";
import { ChatChunkEncoder, ChatCompletion, ChatCompletionCollector } from "../../protocol/chat/completions/response.ts";
import type { ServerContext } from "../context.ts";
import { findRequestedPolicy } from "../best-of.ts";
import { generateAll } from "../generation.ts";
import { toClientError } from "../plugins/errors.ts";
import { keepAliveIntervalMs, sendEventStream } from "../server-sent-events.ts";
import { eventStreamEvent, generationFailures } from "./answers.ts";

/** Exclusive bound of seeds that the server draws itself: what `randomInt` can give, and still told apart by every client. */
export const drawnSeedBound = 2 ** 48 - 1;

export function chatCompletionsRoute(server: FastifyInstance, { config, lifecycle, metrics, bestOf }: ServerContext): void {
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
      const engine = lifecycle.requireEngine();
      const { body } = request;
      const { model, candidates } = findRequestedPolicy(engine, body.model, config);
      const asked = toBestOfRequest(body, candidates);
      const generation = chatToGenerateRequest(body, model, randomInt(drawnSeedBound), asked?.candidates);
      const run = asked === undefined ? undefined : bestOf.runner(engine, model, asked, undefined);
      const head: AnswerHead = {
        id: `chatcmpl-${randomBytes(12).toString("hex")}`,
        created: Math.floor(Date.now() / 1000),
        model: model.id,
        system_fingerprint: model.fingerprint,
      };
      const controller = lifecycle.signalFor(reply);
      const events =
        run === undefined
          ? metrics.observe(generateAll(engine.generate.bind(engine), [generation], controller.signal), model.id)
          : generateAll(run, [generation], controller.signal);
      if (body.stream === true) {
        const encoder = new ChatChunkEncoder(
          head,
          toldAnswers(body, asked),
          body.stream_options?.include_usage ?? false,
          asked?.returnCandidates,
        );
        return sendEventStream(reply, events, ({ event }) => encoder.encode(event), {
          controller,
          keepAliveMs: keepAliveIntervalMs,
          stallTimeoutMs: config.streamStallTimeoutSeconds * 1000,
          toClientError: (error) => toClientError(error, request.id, undefined),
        });
      }
      const collector = new ChatCompletionCollector(body.n ?? 1);
      for await (const { event } of events) collector.add(event);
      return reply.send(collector.answer(head, generation.logprobs !== undefined, asked?.returnCandidates));
    },
  );
}
