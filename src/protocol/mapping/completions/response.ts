/** @file From the events of the engine to the answer of POST /v1/completions, whole or in chunks. */

import type { BestOfEvent, BestOfReport } from "../../../best-of-n/result.ts";
import type { AnswerHead } from "../../wire/answer.ts";
import type { CompletionLogprobs } from "../../wire/completions/logprobs.ts";
import type { Choice, Completion } from "../../wire/completions/response.ts";
import { toBestOf, toBestOfProgress } from "../best-of-response.ts";
import { finishReasonOf } from "../finish-reason.ts";
import { UsageCounter } from "../usage.ts";
import { appendLogprobs, CompletionLogprobsWriter } from "./logprobs.ts";

/** An event of one of the prompts of a request. */
export interface PromptEvent {
  /** Index of the prompt in the request. */
  prompt: number;
  event: BestOfEvent;
}

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
  readonly #reports: BestOfReport[] = [];
  readonly #n: number;

  /** @param n Answers to each prompt that come back. */
  constructor(prompts: number, n: number) {
    this.#writer = new ChoiceWriter(n);
    this.#n = n;
    this.#choices = Array.from({ length: prompts * n }, () => ({
      text: [],
      logprobs: { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] },
      finishReason: null,
    }));
  }

  add(event: PromptEvent): void {
    this.#usage.add(event.event);
    if (event.event.type === "chosen") this.#reports[event.prompt] = event.event.report;
    for (const piece of this.#writer.pieces(event)) {
      const choice = this.#choices[piece.index]!;
      choice.text.push(piece.text);
      choice.finishReason = piece.finish_reason ?? choice.finishReason;
      if (piece.logprobs === null) continue;
      appendLogprobs(choice.logprobs, piece.logprobs);
    }
  }

  /**
   * The answer, once the events have ended.
   * @param withCandidates Whether the request asked for the texts of all candidates.
   */
  answer(answerHead: AnswerHead, wantsLogprobs: boolean, withCandidates = false): Completion {
    const blocks = this.#reports.map((report) => toBestOf(report, withCandidates));
    const n = this.#n;
    return {
      ...answerHead,
      object: "text_completion",
      choices: this.#choices.map((choice, index) => ({
        index,
        text: choice.text.join(""),
        logprobs: wantsLogprobs ? choice.logprobs : null,
        finish_reason: choice.finishReason ?? "length",
        ...(blocks.length === 0 ? {} : { reward: blocks[Math.floor(index / n)]?.rewards[index % n]?.reward ?? null }),
      })),
      usage: this.#usage.usage,
      ...(blocks.length === 0 ? {} : { best_of: this.#choices.length === n ? blocks[0]! : blocks }),
    };
  }
}

/** Turns the events of a request into chunks, one event at a time. */
export class CompletionChunkEncoder {
  readonly #usage = new UsageCounter();
  readonly #head: AnswerHead & { object: "text_completion" };
  readonly #writer: ChoiceWriter;
  readonly #includeUsage: boolean;
  readonly #withCandidates: boolean;
  readonly #n: number;
  readonly #prompts: number;
  #openPrompts: number;

  /**
   * @param n Answers to each prompt that are streamed.
   * @param withCandidates Whether the texts of all candidates are wanted at the end.
   */
  constructor(answerHead: AnswerHead, prompts: number, n: number, includeUsage: boolean, withCandidates = false) {
    this.#head = { ...answerHead, object: "text_completion" };
    this.#writer = new ChoiceWriter(n);
    this.#includeUsage = includeUsage;
    this.#withCandidates = withCandidates;
    this.#n = n;
    this.#prompts = prompts;
    this.#openPrompts = prompts;
  }

  /** The chunks that follow from an event; the usage comes when the last prompt has ended. */
  encode(event: PromptEvent): Completion[] {
    this.#usage.add(event.event);
    if (event.event.type === "end") {
      this.#openPrompts -= 1;
      return this.#openPrompts === 0 && this.#includeUsage ? [{ ...this.#head, choices: [], usage: this.#usage.usage }] : [];
    }
    const chunk = (choices: Choice[]): Completion =>
      this.#includeUsage ? { ...this.#head, choices, usage: null } : { ...this.#head, choices };
    const place = this.#prompts === 1 ? {} : { prompt: event.prompt };
    // Many clients read `choices[0].text` of every chunk.
    const nothingNew: Choice[] = [{ index: event.prompt * this.#n, text: "", logprobs: null, finish_reason: null }];
    if (event.event.type === "progress")
      return [{ ...chunk(nothingNew), best_of: { ...place, ...toBestOfProgress(event.event.candidates) } }];
    if (event.event.type === "chosen")
      return [{ ...chunk(nothingNew), best_of: { ...place, phase: "done", ...toBestOf(event.event.report, this.#withCandidates) } }];
    return this.#writer.pieces(event).map((piece) => chunk([piece]));
  }
}
