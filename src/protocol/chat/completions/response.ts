/** @file The answer of POST /v1/chat/completions, whole or in chunks, from the engine's events. */

import { Type, type Static } from "typebox";
import type { GenerateEvent, TokenLogprob } from "../../../engine/request.ts";
import { finishReasonOf, type AnswerHead } from "../../answer.ts";
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
      }),
    ),
    usage: Usage,
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

  /** @param n Sequences of the request. */
  constructor(n: number) {
    this.#choices = Array.from({ length: n }, () => ({ content: [], logprobs: undefined, finishReason: "length" }));
  }

  add(event: GenerateEvent): void {
    this.#usage.add(event);
    if (event.type === "delta") {
      const choice = this.#choices[event.index]!;
      choice.content.push(event.text);
      if (event.logprobs !== undefined) (choice.logprobs ??= []).push(...event.logprobs);
    } else if (event.type === "finish") {
      this.#choices[event.index]!.finishReason = finishReasonOf(event.reason);
    }
  }

  /**
   * The answer, once the events have ended.
   * @param wantsLogprobs Whether the request asked for log-probabilities: an answer without tokens then has an empty list of them, not null.
   */
  answer(answerHead: AnswerHead, wantsLogprobs: boolean): ChatCompletion {
    return {
      ...answerHead,
      object: "chat.completion",
      choices: this.#choices.map((choice, index) => ({
        index,
        message: { role: "assistant", content: choice.content.join(""), refusal: null },
        logprobs: wantsLogprobs ? toChatLogprobs(choice.logprobs ?? []) : null,
        finish_reason: choice.finishReason,
      })),
      usage: this.#usage.usage,
    };
  }
}

/** Turns the events of a request into chunks, one event at a time. */
export class ChatChunkEncoder {
  readonly #usage = new UsageCounter();
  readonly #head: AnswerHead & { object: "chat.completion.chunk" };
  readonly #n: number;
  readonly #includeUsage: boolean;

  /** @param n Sequences of the request. */
  constructor(answerHead: AnswerHead, n: number, includeUsage: boolean) {
    this.#head = { ...answerHead, object: "chat.completion.chunk" };
    this.#n = n;
    this.#includeUsage = includeUsage;
  }

  #chunk(choices: ChatCompletionChunk["choices"], usage: Usage | null = null): ChatCompletionChunk {
    return this.#includeUsage ? { ...this.#head, choices, usage } : { ...this.#head, choices };
  }

  /** The chunks that follow from an event: a role for each choice at the start, text, reasons to finish, and the usage at the end. */
  encode(event: GenerateEvent): ChatCompletionChunk[] {
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
      case "end":
        return this.#includeUsage ? [this.#chunk([], this.#usage.usage)] : [];
      default:
        return event satisfies never;
    }
  }
}
