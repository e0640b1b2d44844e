/** @file The frames of WebSocket chat on GET /v1/chat/completions. */

import { Type, type Static } from "typebox";
import type { BestOfEvent, BestOfReport } from "../../../best-of-n/result.ts";
import type { AnswerHead } from "../../answer.ts";
import { BestOf, BestOfProgress, toBestOf, toBestOfProgress } from "../../best-of-response.ts";
import { StreamId } from "../../wire/frames.ts";
import { unsupported, type RequestLimits } from "../../wire/schema.ts";
import { Usage, UsageCounter } from "../../usage.ts";
import { chatCompletionRequest } from "./request.ts";
import { ChatChunkEncoder, ChatCompletionChunk } from "./response.ts";

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

/** Turns the events of a request into frames, one event at a time. */
export class ChatFrameEncoder {
  readonly #streamId: string;
  readonly #id: string;
  readonly #chunks: ChatChunkEncoder;
  readonly #withCandidates: boolean;
  readonly #usage = new UsageCounter();
  #report: BestOfReport | undefined;

  /**
   * @param n Answers that are streamed.
   * @param withCandidates Whether the texts of all candidates are wanted at the end.
   */
  constructor(streamId: string, head: AnswerHead, n: number, withCandidates = false) {
    this.#streamId = streamId;
    this.#id = head.id;
    this.#chunks = new ChatChunkEncoder(head, n, false);
    this.#withCandidates = withCandidates;
  }

  encode(event: BestOfEvent): ChatServerFrame[] {
    this.#usage.add(event);
    const head = { stream_id: this.#streamId, id: this.#id };
    if (event.type === "progress") return [{ type: "chat.completion.progress", ...head, best_of: toBestOfProgress(event.candidates) }];
    if (event.type === "chosen") {
      this.#report = event.report;
      return [];
    }
    if (event.type === "end") {
      const report = this.#report;
      const bestOf = report === undefined ? {} : { best_of: toBestOf(report, this.#withCandidates) };
      return [{ type: "chat.completion.done", ...head, usage: this.#usage.usage, ...bestOf }];
    }
    return this.#chunks.encode(event).map((chunk) => ({ type: "chat.completion.chunk", stream_id: this.#streamId, ...chunk }));
  }
}
