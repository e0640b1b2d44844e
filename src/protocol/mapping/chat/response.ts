/** @file From the events of the engine to the answer of POST /v1/chat/completions, whole or in chunks. */

import type { BestOfEvent, BestOfReport } from "../../../best-of-n/result.ts";
import type { TokenLogprob } from "../../../engine/contract/request.ts";
import type { AnswerHead } from "../../wire/answer.ts";
import type { ChatCompletion, ChatCompletionChunk, ChatLogprobs } from "../../wire/chat/response.ts";
import type { Usage } from "../../wire/usage.ts";
import { toBestOf, toBestOfProgress } from "../best-of-response.ts";
import { finishReasonOf } from "../finish-reason.ts";
import { UsageCounter } from "../usage.ts";

const toChatLogprobs = (tokens: readonly TokenLogprob[]): ChatLogprobs => ({
  content: tokens.map(({ token, bytes, logprob, top }) => ({ token, bytes, logprob, top_logprobs: top.map((other) => ({ ...other })) })),
  refusal: null,
});

/** Gathers the events of a request into one answer. */
export class ChatCompletionCollector {
  readonly #usage = new UsageCounter();
  readonly #choices: { content: string[]; logprobs: TokenLogprob[] | undefined; finishReason: "stop" | "length" }[];
  #report: BestOfReport | undefined;

  /** @param n Answers that come back. */
  constructor(n: number) {
    this.#choices = Array.from({ length: n }, () => ({ content: [], logprobs: undefined, finishReason: "length" }));
  }

  add(event: BestOfEvent): void {
    this.#usage.add(event);
    if (event.type === "delta") {
      const choice = this.#choices[event.index]!;
      choice.content.push(event.text);
      if (event.logprobs !== undefined) {
        choice.logprobs ??= [];
        for (const logprob of event.logprobs) choice.logprobs.push(logprob);
      }
    } else if (event.type === "finish") {
      this.#choices[event.index]!.finishReason = finishReasonOf(event.reason);
    } else if (event.type === "chosen") {
      this.#report = event.report;
    }
  }

  /**
   * The answer, once the events have ended.
   * @param wantsLogprobs Whether the request asked for log-probabilities: an answer without tokens then has an empty
   * list of them, not null.
   * @param withCandidates Whether it asked for the texts of all candidates.
   */
  answer(answerHead: AnswerHead, wantsLogprobs: boolean, withCandidates = false): ChatCompletion {
    const report = this.#report;
    return {
      ...answerHead,
      object: "chat.completion",
      choices: this.#choices.map((choice, index) => ({
        index,
        message: { role: "assistant", content: choice.content.join(""), refusal: null },
        logprobs: wantsLogprobs ? toChatLogprobs(choice.logprobs ?? []) : null,
        finish_reason: choice.finishReason,
        ...(report === undefined ? {} : { reward: report.candidates[index]?.score ?? null }),
      })),
      usage: this.#usage.usage,
      ...(report === undefined ? {} : { best_of: toBestOf(report, withCandidates) }),
    };
  }
}

/** The choices of a chunk that tells of candidates alone: many clients read `choices[0].delta` of every chunk. */
const nothingNew: ChatCompletionChunk["choices"] = [{ index: 0, delta: {}, logprobs: null, finish_reason: null }];

/** Turns the events of a request into chunks, one event at a time. */
export class ChatChunkEncoder {
  readonly #usage = new UsageCounter();
  readonly #head: AnswerHead & { object: "chat.completion.chunk" };
  readonly #n: number;
  readonly #includeUsage: boolean;
  readonly #withCandidates: boolean;

  /**
   * @param n Answers that are streamed.
   * @param withCandidates Whether the texts of all candidates are wanted at the end.
   */
  constructor(answerHead: AnswerHead, n: number, includeUsage: boolean, withCandidates = false) {
    this.#head = { ...answerHead, object: "chat.completion.chunk" };
    this.#n = n;
    this.#includeUsage = includeUsage;
    this.#withCandidates = withCandidates;
  }

  #chunk(choices: ChatCompletionChunk["choices"], usage: Usage | null = null): ChatCompletionChunk {
    return this.#includeUsage ? { ...this.#head, choices, usage } : { ...this.#head, choices };
  }

  /**
   * The chunks that follow from an event: a role for each choice at the start, text, reasons to finish, and the usage
   * at the end.
   */
  encode(event: BestOfEvent): ChatCompletionChunk[] {
    this.#usage.add(event);
    switch (event.type) {
      case "start":
        return Array.from({ length: this.#n }, (_, index) =>
          this.#chunk([{ index, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }]),
        );
      case "delta":
        if (event.text === "" && event.logprobs === undefined) return [];
        return [
          this.#chunk([
            {
              index: event.index,
              delta: { content: event.text },
              logprobs: event.logprobs === undefined ? null : toChatLogprobs(event.logprobs),
              finish_reason: null,
            },
          ]),
        ];
      case "finish":
        return [this.#chunk([{ index: event.index, delta: {}, logprobs: null, finish_reason: finishReasonOf(event.reason) }])];
      case "progress":
        return [{ ...this.#chunk(nothingNew), best_of: toBestOfProgress(event.candidates) }];
      case "chosen":
        return [{ ...this.#chunk(nothingNew), best_of: { phase: "done", ...toBestOf(event.report, this.#withCandidates) } }];
      case "end":
        return this.#includeUsage ? [this.#chunk([], this.#usage.usage)] : [];
      default:
        return event satisfies never;
    }
  }
}
