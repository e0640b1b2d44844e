/** @file The frames of WebSocket chat on GET /v1/chat/completions. */

import { Type, type Static } from "typebox";
import { BestOf, BestOfProgress } from "../best-of-response.ts";
import { StreamId } from "../frames.ts";
import { type RequestLimits, unsupported } from "../schema.ts";
import { Usage } from "../usage.ts";
import { chatCompletionRequest } from "./request.ts";
import { ChatCompletionChunk } from "./response.ts";

/** Asks for an answer: a request of POST /v1/chat/completions, always streamed. */
export const chatCreateFrame = (limits: RequestLimits) =>
  Type.Object(
    {
      type: Type.Literal("chat.completion.create"),
      stream_id: StreamId,
      ...chatCompletionRequest(limits).properties,
      stream: unsupported("answers over WebSocket are always streamed", { enum: [true, null] }),
    },
    { additionalProperties: false, title: "ChatCompletionCreateFrame" },
  );
export type ChatCreateFrame = Static<ReturnType<typeof chatCreateFrame>>;

/** Ends an answer, which an error frame of code `cancelled` confirms. Nothing happens when it has ended already. */
export const ChatCancelFrame = Type.Object(
  { type: Type.Literal("chat.completion.cancel"), stream_id: StreamId },
  { additionalProperties: false, title: "ChatCompletionCancelFrame" },
);

export const ChatChunkFrame = Type.Object(
  { ...ChatCompletionChunk.properties, type: Type.Literal("chat.completion.chunk"), stream_id: StreamId },
  { title: "ChatCompletionChunkFrame" },
);

/** How far the candidates of a Best-of-N request are. */
export const ChatProgressFrame = Type.Object(
  { type: Type.Literal("chat.completion.progress"), stream_id: StreamId, id: Type.String(), best_of: BestOfProgress },
  { title: "ChatCompletionProgressFrame" },
);

/** The last frame of an answer that went well. */
export const ChatDoneFrame = Type.Object(
  { type: Type.Literal("chat.completion.done"), stream_id: StreamId, id: Type.String(), usage: Usage, best_of: Type.Optional(BestOf) },
  { title: "ChatCompletionDoneFrame" },
);

export type ChatServerFrame = Static<typeof ChatChunkFrame> | Static<typeof ChatProgressFrame> | Static<typeof ChatDoneFrame>;
