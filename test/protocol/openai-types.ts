/** @file Compile-time check: the wire types agree with those of the official client. It holds if this file compiles. */

import type OpenAI from "openai";
import type { ChatCompletionRequest } from "../../src/protocol/wire/chat/request.ts";
import type { ChatCompletion, ChatCompletionChunk } from "../../src/protocol/wire/chat/response.ts";
import type { CompletionRequest } from "../../src/protocol/wire/completions/request.ts";
import type { Completion } from "../../src/protocol/wire/completions/response.ts";
import type { ErrorBody } from "../../src/protocol/wire/errors.ts";
import type { Model } from "../../src/protocol/wire/models.ts";
import type { ResponseEvent } from "../../src/protocol/wire/responses/events.ts";
import type { ResponseCreateFrame, ResponseErrorFrame } from "../../src/protocol/wire/responses/frames.ts";
import type { ResponseRequest } from "../../src/protocol/wire/responses/request.ts";
import type { ResponseObject, ResponseUsage } from "../../src/protocol/wire/responses/response.ts";

type ChatParams = OpenAI.ChatCompletionCreateParams;
type CompletionParams = OpenAI.CompletionCreateParams;

/** Compiles only for `never`; the error names the field that is missing. */
type None<T extends never> = T;

/** Every field of the official client is either supported, ignored or refused by name; none is unknown to us. */
export type UnknownChatFields = None<Exclude<keyof ChatParams, keyof ChatCompletionRequest>>;
export type UnknownCompletionFields = None<Exclude<keyof CompletionParams, keyof CompletionRequest>>;

/** The fields that mean something here, which take every value that the official client can give them. */
type Meant<Params, Ours> = Pick<Params, Extract<keyof Params, keyof Ours>>;
type SharedFields =
  | "n"
  | "stop"
  | "seed"
  | "temperature"
  | "top_p"
  | "presence_penalty"
  | "frequency_penalty"
  | "logit_bias"
  | "max_tokens"
  | "stream";

export const acceptsChat = (
  params: Meant<Pick<ChatParams, SharedFields | "logprobs" | "top_logprobs" | "max_completion_tokens" | "model">, ChatCompletionRequest>,
) => params satisfies Partial<ChatCompletionRequest>;

export const acceptsCompletion = (
  params: Meant<Pick<CompletionParams, SharedFields | "logprobs" | "echo" | "prompt" | "model">, CompletionRequest>,
) => params satisfies Partial<CompletionRequest>;

/** What the server answers is what the official client declares. */
export const chatCompletion = (answer: ChatCompletion) => answer satisfies OpenAI.ChatCompletion;
export const chatChunk = (chunk: ChatCompletionChunk) => chunk satisfies OpenAI.ChatCompletionChunk;
export const model = (entry: Model) => entry satisfies OpenAI.Model;
export const error = (body: ErrorBody) => body.error satisfies { message: string; type: string; param: string | null; code: string | null };

/**
 * Two corners in which the client's declarations of completions are narrower than OpenAI's own answers, and ours follow
 * the answers: the first echoed token has no log-probability (null), and chunks have `finish_reason` and `usage` null
 * until the last.
 */
type WholeChoice = Omit<Completion["choices"][number], "finish_reason" | "logprobs"> & { finish_reason: "stop" | "length"; logprobs: null };
type WholeCompletion = Omit<Completion, "choices" | "usage"> & { choices: WholeChoice[]; usage?: NonNullable<Completion["usage"]> };
export const completion = (answer: WholeCompletion) => answer satisfies OpenAI.Completion;

/** The Responses API. */
type ResponseParams = OpenAI.Responses.ResponseCreateParams;
type ClientEvent = OpenAI.Responses.ResponsesClientEvent;
export type UnknownResponseFields = None<Exclude<keyof ResponseParams, keyof ResponseRequest>>;
export type UnknownResponseFrameFields = None<Exclude<keyof ClientEvent, keyof ResponseCreateFrame>>;
export const acceptsResponse = (
  params: Meant<
    Pick<
      ResponseParams,
      "model" | "instructions" | "previous_response_id" | "store" | "max_output_tokens" | "stream" | "temperature" | "top_p"
    >,
    ResponseRequest
  >,
) => params satisfies Partial<ResponseRequest>;
export const response = (answer: Omit<ResponseObject, "usage"> & { usage: ResponseUsage }) =>
  ({ ...answer, output_text: "" }) satisfies OpenAI.Responses.Response;

/** Events as the client declares them, without the response within, which is checked above. */
type OfType<E, T> = T extends string ? Omit<E, "type"> & { type: T } : never;
type InnerEvent<E = ResponseEvent> = E extends { response: object } ? never : E extends { type: string } ? OfType<E, E["type"]> : never;
export const responseEvent = (event: InnerEvent) => event satisfies OpenAI.Responses.ResponseStreamEvent;
export type UnknownResponseEvents = None<Exclude<ResponseEvent["type"], OpenAI.Responses.ResponseStreamEvent["type"]>>;
export const responseError = (frame: ResponseErrorFrame) => frame satisfies OpenAI.Responses.ResponseErrorEvent;
