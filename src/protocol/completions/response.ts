/** @file The answer of POST /v1/completions, whole or in chunks (which have the same shape), from the engine's events. */

import { Type, type Static } from "typebox";
import { finishReasonOf, type AnswerHead, type PromptEvent } from "../answer.ts";
import { Usage, UsageCounter } from "../usage.ts";
import { appendLogprobs, CompletionLogprobs, CompletionLogprobsWriter } from "./logprobs.ts";

const finishReason = Type.Union([Type.Literal("stop"), Type.Literal("length")]);

const Choice = Type.Object({
  index: Type.Integer({ description: "Place of the prompt times n, plus place of the answer." }),
  text: Type.String(),
  logprobs: Type.Union([CompletionLogprobs, Type.Null()]),
  finish_reason: Type.Union([finishReason, Type.Null()], { description: "Null in chunks before the last of a choice." }),
});
type Choice = Static<typeof Choice>;

export const Completion = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("text_completion"),
    created: Type.Integer({ description: "Seconds since the epoch." }),
    model: Type.String(),
    system_fingerprint: Type.String({ description: "Answers to the same request and seed change only when this does." }),
    choices: Type.Array(Choice),
    usage: Type.Optional(Type.Union([Usage, Type.Null()])),
  },
  { title: "Completion" },
);
export type Completion = Static<typeof Completion>;

/** The pieces of choices that follow from events, whether they travel as chunks or are put together. */
class ChoiceWriter {
  readonly #n: number;
  readonly #logprobs = new Map<number, CompletionLogprobsWriter>();

  constructor(n: number) {
    this.#n = n;
  }

  pieces({ prompt, event }: PromptEvent): Choice[] {
    const first = prompt * this.#n;
    if (event.type === "start") {
      const { echo } = event;
      if (echo === undefined) return [];
      return Array.from({ length: this.#n }, (_, sequence) => ({
        index: first + sequence,
        text: echo.text,
        logprobs: echo.tokens === undefined ? null : this.#writer(first + sequence).write(echo.tokens),
        finish_reason: null,
      }));
    }
    if (event.type === "delta") {
      if (event.text === "" && event.logprobs === undefined) return [];
      const index = first + event.index;
      return [
        {
          index,
          text: event.text,
          logprobs: event.logprobs === undefined ? null : this.#writer(index).write(event.logprobs),
          finish_reason: null,
        },
      ];
    }
    if (event.type === "finish")
      return [{ index: first + event.index, text: "", logprobs: null, finish_reason: finishReasonOf(event.reason) }];
    return [];
  }

  #writer(index: number): CompletionLogprobsWriter {
    let writer = this.#logprobs.get(index);
    if (writer === undefined) this.#logprobs.set(index, (writer = new CompletionLogprobsWriter()));
    return writer;
  }
}

/** Gathers the events of a request into one answer. */
export class CompletionCollector {
  readonly #usage = new UsageCounter();
  readonly #writer: ChoiceWriter;
  readonly #choices: { text: string[]; logprobs: CompletionLogprobs; finishReason: Choice["finish_reason"] }[];

  /** @param n Sequences of each prompt. */
  constructor(prompts: number, n: number) {
    this.#writer = new ChoiceWriter(n);
    this.#choices = Array.from({ length: prompts * n }, () => ({
      text: [],
      logprobs: { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] },
      finishReason: null,
    }));
  }

  add(event: PromptEvent): void {
    this.#usage.add(event.event);
    for (const piece of this.#writer.pieces(event)) {
      const choice = this.#choices[piece.index]!;
      choice.text.push(piece.text);
      choice.finishReason = piece.finish_reason ?? choice.finishReason;
      if (piece.logprobs === null) continue;
      appendLogprobs(choice.logprobs, piece.logprobs);
    }
  }

  /** The answer, once the events have ended. */
  answer(answerHead: AnswerHead, wantsLogprobs: boolean): Completion {
    return {
      ...answerHead,
      object: "text_completion",
      choices: this.#choices.map((choice, index) => ({
        index,
        text: choice.text.join(""),
        logprobs: wantsLogprobs ? choice.logprobs : null,
        finish_reason: choice.finishReason ?? "length",
      })),
      usage: this.#usage.usage,
    };
  }
}

/** Turns the events of a request into chunks, one event at a time. */
export class CompletionChunkEncoder {
  readonly #usage = new UsageCounter();
  readonly #head: AnswerHead & { object: "text_completion" };
  readonly #writer: ChoiceWriter;
  readonly #includeUsage: boolean;
  #openPrompts: number;

  /** @param n Sequences of each prompt. */
  constructor(answerHead: AnswerHead, prompts: number, n: number, includeUsage: boolean) {
    this.#head = { ...answerHead, object: "text_completion" };
    this.#writer = new ChoiceWriter(n);
    this.#includeUsage = includeUsage;
    this.#openPrompts = prompts;
  }

  /** The chunks that follow from an event; the usage comes when the last prompt has ended. */
  encode(event: PromptEvent): Completion[] {
    this.#usage.add(event.event);
    if (event.event.type === "end") {
      this.#openPrompts -= 1;
      return this.#openPrompts === 0 && this.#includeUsage ? [{ ...this.#head, choices: [], usage: this.#usage.usage }] : [];
    }
    return this.#writer
      .pieces(event)
      .map((piece) => (this.#includeUsage ? { ...this.#head, choices: [piece], usage: null } : { ...this.#head, choices: [piece] }));
  }
}
