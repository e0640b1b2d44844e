/**
 * @file From the events of the engine to those of a response, in OpenAI's order with sequence numbers, and to the whole
 * response.
 */

import type { BestOfEvent } from "../../../best-of-n/result.ts";
import type { TokenLogprob } from "../../../engine/contract/request.ts";
import type { BonsaiError } from "../../../errors/bonsai-error.ts";
import type { ResponseEvent } from "../../wire/responses/events.ts";
import type {
  OutputLogprob as Logprob,
  OutputMessage as Message,
  OutputText,
  ResponseObject as Response,
} from "../../wire/responses/response.ts";
import { toBestOf, toBestOfProgress } from "../best-of-response.ts";
import { finishReasonOf } from "../finish-reason.ts";
import { UsageCounter } from "../usage.ts";
import { toResponseUsage } from "./response.ts";

/** An event before it has its number. */
type Unnumbered = ResponseEvent extends infer E ? (E extends ResponseEvent ? Omit<E, "sequence_number"> : never) : never;

const toLogprobs = (tokens: readonly TokenLogprob[] = []): Logprob[] =>
  tokens.map(({ token, bytes, logprob, top }) => ({ token, bytes, logprob, top_logprobs: top.map((other) => ({ ...other })) }));

/** Turns the events of the engine into those of a response, and keeps what they come to. */
export class ResponseEncoder {
  readonly #usage = new UsageCounter();
  readonly #itemId: string;
  readonly #withCandidates: boolean;
  readonly #texts: string[] = [];
  readonly #logprobs: Logprob[] = [];
  #response: Response;
  #sequenceNumber = 0;
  #hasBegun = false;
  #isIncomplete = false;

  /**
   * @param begun The response before its first event.
   * @param itemId Of the message that it will have.
   * @param withCandidates Whether the texts of all candidates are wanted at the end.
   */
  constructor(begun: Response, itemId: string, withCandidates = false) {
    this.#response = begun;
    this.#itemId = itemId;
    this.#withCandidates = withCandidates;
  }

  /** As it stands; whole once the engine's events have ended. */
  get response(): Response {
    return this.#response;
  }

  /** Sequence number of the next event. */
  get sequenceNumber(): number {
    return this.#sequenceNumber;
  }

  /** Text of the answer so far. */
  get text(): string {
    return this.#texts.join("");
  }

  encode(event: BestOfEvent): ResponseEvent[] {
    this.#usage.add(event);
    return [...this.#begin(), ...this.#follow(event)].map((told) => this.#numbered(told));
  }

  /** The last event of a response that broke off. */
  fail(error: BonsaiError): ResponseEvent[] {
    const code = error.status === 429 ? "rate_limit_exceeded" : error.status < 500 ? "invalid_prompt" : "server_error";
    this.#response = { ...this.#response, status: "failed", error: { code, message: error.message } };
    return [...this.#begin(), { type: "response.failed" as const, response: this.#response }].map((told) => this.#numbered(told));
  }

  /** Progress may come before the answer begins. */
  #begin(): Unnumbered[] {
    if (this.#hasBegun) return [];
    this.#hasBegun = true;
    const response: Response = { ...this.#response, status: "in_progress", error: null };
    return [
      { type: "response.created", response },
      { type: "response.in_progress", response },
    ];
  }

  #follow(event: BestOfEvent): Unnumbered[] {
    const at = { item_id: this.#itemId, output_index: 0, content_index: 0 } as const;
    switch (event.type) {
      case "start":
        return [
          { type: "response.output_item.added", output_index: 0, item: this.#message("in_progress", []) },
          { type: "response.content_part.added", ...at, part: { type: "output_text", text: "", annotations: [], logprobs: [] } },
        ];
      case "delta": {
        if (event.text === "" && event.logprobs === undefined) return [];
        const logprobs = toLogprobs(event.logprobs);
        this.#texts.push(event.text);
        for (const logprob of logprobs) this.#logprobs.push(logprob);
        return [{ type: "response.output_text.delta", ...at, delta: event.text, logprobs }];
      }
      case "finish": {
        this.#isIncomplete = finishReasonOf(event.reason) === "length";
        const part = this.#part();
        return [
          { type: "response.output_text.done", ...at, text: part.text, logprobs: part.logprobs },
          { type: "response.content_part.done", ...at, part },
          { type: "response.output_item.done", output_index: 0, item: this.#finished() },
        ];
      }
      case "progress":
        return [{ type: "response.in_progress", response: this.#response, best_of: toBestOfProgress(event.candidates) }];
      case "chosen":
        this.#response = { ...this.#response, best_of: toBestOf(event.report, this.#withCandidates) };
        return [];
      case "end":
        return [this.#end()];
      default:
        return event satisfies never;
    }
  }

  #end(): Unnumbered {
    const isIncomplete = this.#isIncomplete;
    this.#response = {
      ...this.#response,
      status: isIncomplete ? "incomplete" : "completed",
      completed_at: isIncomplete ? null : Math.floor(Date.now() / 1000),
      incomplete_details: isIncomplete ? { reason: "max_output_tokens" } : null,
      output: [this.#finished()],
      usage: toResponseUsage(this.#usage.usage),
    };
    return { type: isIncomplete ? "response.incomplete" : "response.completed", response: this.#response };
  }

  #part(): OutputText {
    return { type: "output_text", text: this.text, annotations: [], logprobs: [...this.#logprobs] };
  }

  #message(status: Message["status"], content: OutputText[]): Message {
    return { id: this.#itemId, type: "message", role: "assistant", status, content };
  }

  #finished(): Message {
    return this.#message(this.#isIncomplete ? "incomplete" : "completed", [this.#part()]);
  }

  #numbered(event: Unnumbered): ResponseEvent {
    return { ...event, sequence_number: this.#sequenceNumber++ };
  }
}
