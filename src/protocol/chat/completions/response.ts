/** @file The answer of POST /v1/chat/completions, whole or in chunks, from the engine's events. */

import { Type, type Static } from "typebox";
import type { BestOfEvent, BestOfReport } from "../../../best-of-n/result.ts";
import type { TokenLogprob } from "../../../engine/contract/request.ts";
import { finishReasonOf, type AnswerHead } from "../../answer.ts";
import { BestOf, BestOfDone, BestOfProgress, ChoiceReward, toBestOf, toBestOfProgress } from "../../best-of-response.ts";
import { Usage, UsageCounter } from "../../usage.ts";

const TopLogprob = Type.Object({ token: Type.String(), bytes: Type.Array(Type.Integer()), logprob: Type.Number() });

const ChatLogprobs = Type.Object({
  content: Type.Array(Type.Object({ ...TopLogprob.properties, top_logprobs: Type.Array(TopLogprob) })),
  refusal: Type.Null(),
});
type ChatLogprobs = Static<typeof ChatLogprobs>;

const finishReason = Type.Union([Type.Literal("stop"), Type.Literal("length")], {
  description: "stop: end of the answer or a stop string. length: max_tokens or the context is used up.",
});

const head = {
  id: Type.String(),
  created: Type.Integer({ description: "Seconds since the epoch." }),
  model: Type.String(),
  system_fingerprint: Type.String({ description: "Answers to the same request and seed change only when this does." }),
};

export const ChatCompletion = Type.Object(
  {
    ...head,
    object: Type.Literal("chat.completion"),
    choices: Type.Array(
      Type.Object({
        index: Type.Integer(),
        message: Type.Object({ role: Type.Literal("assistant"), content: Type.String(), refusal: Type.Null() }),
        logprobs: Type.Union([ChatLogprobs, Type.Null()]),
        finish_reason: finishReason,
        reward: ChoiceReward,
      }),
    ),
    usage: Usage,
    best_of: Type.Optional(BestOf),
  },
  { title: "ChatCompletion" },
);
export type ChatCompletion = Static<typeof ChatCompletion>;

export const ChatCompletionChunk = Type.Object(
  {
    ...head,
    object: Type.Literal("chat.completion.chunk"),
    choices: Type.Array(
      Type.Object({
        index: Type.Integer(),
        delta: Type.Object({ role: Type.Optional(Type.Literal("assistant")), content: Type.Optional(Type.String()) }),
        logprobs: Type.Union([ChatLogprobs, Type.Null()]),
        finish_reason: Type.Union([finishReason, Type.Null()]),
      }),
    ),
    usage: Type.Optional(Type.Union([Usage, Type.Null()])),
    best_of: Type.Optional(Type.Union([BestOfProgress, BestOfDone])),
  },
  { title: "ChatCompletionChunk" },
);
export type ChatCompletionChunk = Static<typeof ChatCompletionChunk>;

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
      if (event.logprobs !== undefined) (choice.logprobs ??= []).push(...event.logprobs);
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
        return [{ ...this.#chunk([]), best_of: toBestOfProgress(event.candidates) }];
      case "chosen":
        return [{ ...this.#chunk([]), best_of: { phase: "done", ...toBestOf(event.report, this.#withCandidates) } }];
      case "end":
        return this.#includeUsage ? [this.#chunk([], this.#usage.usage)] : [];
      default:
        return event satisfies never;
    }
  }
}
