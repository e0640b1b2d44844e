/** @file POST /v1/responses, and OpenAI's WebSocket mode on GET /v1/responses. */

import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { ResponseEvent } from "../../protocol/wire/responses/events.ts";
import {
  ResponseCancelFrame,
  responseCreateFrame,
  ResponseErrorFrame,
  toResponseErrorFrame,
  type ResponseCreateFrame,
} from "../../protocol/wire/responses/frames.ts";
import { responseRequest } from "../../protocol/wire/responses/request.ts";
import { ResponseObject } from "../../protocol/wire/responses/response.ts";
import type { ClientFrame } from "../../protocol/wire/frames.ts";
import { typedEvents } from "../../protocol/wire/sse.ts";
import type { ServerContext } from "../context.ts";
import { reportFailure } from "../plugins/errors.ts";
import { askForUpgrade } from "../plugins/web-socket.ts";
import { ResponseStore } from "../responses/response-store.ts";
import { openResponse } from "../responses/responses.ts";
import { sendJson } from "../generation/json-answer.ts";
import { keepAliveIntervalMs, sendEventStream } from "../generation/server-sent-events.ts";
import type { SocketDialect } from "../sockets/connection.ts";
import { validatedFrame } from "../sockets/validated-frame.ts";
import { eventStreamEvent, generationFailures, upgradeAnswers } from "./answers.ts";

export function responsesRoute(server: FastifyInstance, context: ServerContext): void {
  const { config, lifecycle } = context;
  server.withTypeProvider<TypeBoxTypeProvider>().post(
    "/v1/responses",
    {
      config: { generates: true },
      schema: {
        tags: ["generation"],
        operationId: "createResponse",
        summary: "Answer an input, or continue a stored conversation",
        body: responseRequest(config),
        response: {
          200: {
            description: "The response; with `stream: true` its events.",
            content: {
              "application/json": { schema: ResponseObject },
              "text/event-stream": { schema: eventStreamEvent("ResponseEvent") },
            },
          },
          ...generationFailures,
        },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const controller = lifecycle.signalFor(reply);
      const { encoder, events } = openResponse(context, body, { client: request.client, signal: controller.signal });
      if (body.stream === true) {
        return sendEventStream(reply, events, (told) => told, {
          controller,
          keepAliveMs: keepAliveIntervalMs,
          stallTimeoutMs: config.streamStallTimeoutSeconds * 1000,
          reportFailure: (failure) => reportFailure(request, failure),
          format: { ...typedEvents, failure: (error) => encoder.fail(error).flatMap((event) => [...typedEvents.event(event)]) },
        });
      }
      for await (const _ of events);
      return sendJson(reply, encoder.response);
    },
  );
}

/** Most bytes of the conversations that a connection keeps for itself. */
const connectionStoreBytes = 1024 * 1024;

export function responsesSocketRoute(server: FastifyInstance, context: ServerContext): void {
  const { config } = context;
  const createFrame = responseCreateFrame(config);

  async function* answer(
    request: FastifyRequest,
    own: ResponseStore,
    frame: ClientFrame,
    streamId: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<object, void, undefined> {
    const { type: _, stream_id: __, generate: ___, ...body } = validatedFrame(request, createFrame, frame) as ResponseCreateFrame;
    const { encoder, events } = openResponse(context, { ...body, stream: true }, { client: request.client, signal, own });
    const named = streamId === undefined ? {} : { stream_id: streamId };
    try {
      for await (const told of events) for (const event of told) yield { ...event, ...named };
    } catch (failure) {
      // Before the first event, or when the client or the server wants no more, an error frame says so.
      if (signal.aborted || encoder.sequenceNumber === 0) throw failure;
      for (const event of encoder.fail(reportFailure(request, failure, frame))) yield { ...event, ...named };
    }
  }

  server.route({
    method: "GET",
    url: "/v1/responses",
    config: { generates: true },
    schema: {
      tags: ["generation"],
      operationId: "connectResponses",
      summary: "Responses over WebSocket",
      description:
        "OpenAI's WebSocket mode: the client sends response.create frames, the server the events of responses, with the client's `stream_id` where it gave one.",
      response: upgradeAnswers(
        "ResponseFrame",
        Type.Union([createFrame, ResponseCancelFrame]),
        Type.Union([ResponseEvent, ResponseErrorFrame]),
      ),
    },
    handler: askForUpgrade,
    wsHandler: (socket, request) => {
      const own = new ResponseStore({ maxBytes: connectionStoreBytes, lifetimeMs: config.responseLifetimeSeconds * 1000 });
      const dialect: SocketDialect = {
        create: "response.create",
        cancel: "response.cancel",
        namesStreams: false,
        answer: (frame, streamId, signal) => answer(request, own, frame, streamId, signal),
        failure: toResponseErrorFrame,
      };
      context.connections.accept(socket, request, dialect);
    },
  });
}
