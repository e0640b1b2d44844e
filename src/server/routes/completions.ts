/** @file POST /v1/completions. */

import { randomInt } from "node:crypto";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { toBestOfRequest, toldAnswers } from "../../protocol/mapping/best-of-request.ts";
import { completionToGenerateRequests } from "../../protocol/mapping/completions/request.ts";
import { completionRequest } from "../../protocol/wire/completions/request.ts";
import { CompletionChunkEncoder, CompletionCollector } from "../../protocol/mapping/completions/response.ts";
import { Completion } from "../../protocol/wire/completions/response.ts";
import { findRequestedPolicy } from "../generation/best-of.ts";
import { answerHead, drawnSeedBound } from "../generation/chat.ts";
import type { ServerContext } from "../context.ts";
import { generateAll, samplingRunner } from "../generation/generation.ts";
import { reportFailure } from "../plugins/errors.ts";
import { sendJson } from "../generation/json-answer.ts";
import { keepAliveIntervalMs, sendEventStream } from "../generation/server-sent-events.ts";
import { eventStreamEvent, generationFailures } from "./answers.ts";

export function completionsRoute(server: FastifyInstance, { config, lifecycle, metrics, bestOf }: ServerContext): void {
  server.withTypeProvider<TypeBoxTypeProvider>().post(
    "/v1/completions",
    {
      config: { generates: true },
      schema: {
        tags: ["generation"],
        operationId: "createCompletion",
        summary: "Continue a text",
        body: completionRequest(config),
        response: {
          200: {
            description: "The answer; with `stream: true` its chunks as events, then `[DONE]`.",
            content: { "application/json": { schema: Completion }, "text/event-stream": { schema: eventStreamEvent("Completion") } },
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
      const generations = completionToGenerateRequests(body, model, config, randomInt(drawnSeedBound), asked?.candidates);
      const run = asked === undefined ? samplingRunner(engine, metrics) : bestOf.runner(engine, model, asked, "logprob");
      const head = answerHead("cmpl", model);
      const controller = lifecycle.signalFor(reply);
      const events = generateAll(run, generations, controller.signal);
      if (body.stream === true) {
        const encoder = new CompletionChunkEncoder(
          head,
          generations.length,
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
      const collector = new CompletionCollector(generations.length, body.n ?? 1);
      for await (const event of events) collector.add(event);
      return sendJson(reply, collector.answer(head, typeof body.logprobs === "number", asked?.returnCandidates));
    },
  );
}
