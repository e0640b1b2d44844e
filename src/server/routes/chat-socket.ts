/** @file GET /v1/chat/completions: chats over WebSocket, many on one connection. */

import type { FastifyInstance, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { toldAnswers } from "../../protocol/mapping/best-of-request.ts";
import { ChatFrameEncoder } from "../../protocol/mapping/chat/frames.ts";
import {
  ChatCancelFrame,
  ChatChunkFrame,
  chatCreateFrame,
  ChatDoneFrame,
  ChatProgressFrame,
  type ChatCreateFrame,
  type ChatServerFrame,
} from "../../protocol/wire/chat/frames.ts";
import { ErrorFrame, toErrorFrame, type ClientFrame } from "../../protocol/wire/frames.ts";
import { answerHead, openChat } from "../generation/chat.ts";
import type { ServerContext } from "../context.ts";
import { askForUpgrade } from "../plugins/web-socket.ts";
import type { SocketDialect } from "../sockets/connection.ts";
import { validatedFrame } from "../sockets/validated-frame.ts";
import { upgradeAnswers } from "./answers.ts";

export function chatSocketRoute(server: FastifyInstance, context: ServerContext): void {
  const createFrame = chatCreateFrame(context.config);

  async function* answer(
    request: FastifyRequest,
    frame: ClientFrame,
    streamId: string,
    signal: AbortSignal,
  ): AsyncGenerator<ChatServerFrame, void, undefined> {
    const { type: _, stream_id: __, ...body } = validatedFrame(request, createFrame, frame) as ChatCreateFrame;
    const chat = { ...body, stream: true };
    const { model, asked, events } = openChat(context, chat, signal);
    const encoder = new ChatFrameEncoder(streamId, answerHead("chatcmpl", model), toldAnswers(chat, asked), asked?.returnCandidates);
    for await (const event of events) yield* encoder.encode(event);
  }

  server.route({
    method: "GET",
    url: "/v1/chat/completions",
    config: { generates: true },
    schema: {
      tags: ["generation"],
      operationId: "connectChatCompletions",
      summary: "Answer conversations over WebSocket",
      description:
        "Each text frame is a JSON object. The client sends create and cancel frames; the server answers with chunk, progress, done and error frames that carry the client's `stream_id`.",
      response: upgradeAnswers(
        "ChatCompletionFrame",
        Type.Union([createFrame, ChatCancelFrame]),
        Type.Union([ChatChunkFrame, ChatProgressFrame, ChatDoneFrame, ErrorFrame]),
      ),
    },
    handler: askForUpgrade,
    wsHandler: (socket, request) => {
      const dialect: SocketDialect = {
        create: "chat.completion.create",
        cancel: "chat.completion.cancel",
        namesStreams: true,
        answer: (frame, streamId, signal) => answer(request, frame, streamId ?? "", signal),
        failure: toErrorFrame,
      };
      context.connections.accept(socket, request, dialect);
    },
  });
}
