/** @file From the events of the engine to the frames of WebSocket chat. */

import type { BestOfEvent, BestOfReport } from "../../../best-of-n/result.ts";
import type { AnswerHead } from "../../wire/answer.ts";
import type { ChatServerFrame } from "../../wire/chat/frames.ts";
import { toBestOf, toBestOfProgress } from "../best-of-response.ts";
import { UsageCounter } from "../usage.ts";
import { ChatChunkEncoder } from "./response.ts";

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
