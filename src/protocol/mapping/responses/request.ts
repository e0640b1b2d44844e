/** @file From the body of POST /v1/responses to the chat request that it stands for. */

import { BonsaiError } from "../../../errors/bonsai-error.ts";
import type { ChatCompletionRequest, roles } from "../../wire/chat/request.ts";
import { logprobsIncluded, type ResponseRequest } from "../../wire/responses/request.ts";

const invalid = (param: string, message: string): BonsaiError => new BonsaiError("invalid_request", message, { param });

/** A message whose content is one text. */
export interface PlainMessage {
  role: (typeof roles)[number];
  content: string;
}

/** The messages of the input, in order. */
export function inputMessages({ input }: ResponseRequest): PlainMessage[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  return input.map(({ role, content }) => ({
    role,
    content: typeof content === "string" ? content : content.map(({ text }) => text).join(""),
  }));
}

/** Whether the answer's tokens come with their log-probabilities. */
export const wantsLogprobs = ({ include }: ResponseRequest): boolean => include?.includes(logprobsIncluded) ?? false;

/**
 * The chat request that a response is the answer to.
 * @param conversation What came before, and the input.
 * @throws BonsaiError `invalid_request` naming the field
 */
export function toChatRequest(body: ResponseRequest, conversation: readonly PlainMessage[]): ChatCompletionRequest {
  if (typeof body.stream_options === "object" && body.stream_options !== null && body.stream !== true)
    throw invalid("stream_options", "stream_options is only allowed with stream: true.");
  if ((body.top_logprobs ?? 0) > 0 && !wantsLogprobs(body))
    throw invalid("top_logprobs", `top_logprobs needs include: ["${logprobsIncluded}"].`);
  if (body.best_of_options?.stream === "candidates")
    throw invalid("best_of_options.stream", "A response is one answer: candidates are streamed by /v1/chat/completions only.");
  const { instructions } = body;
  const system: PlainMessage[] = typeof instructions === "string" ? [{ role: "system", content: instructions }] : [];
  const { model, stop, seed, temperature, top_p, top_k, min_p, stream, best_of, best_of_options } = body;
  const { presence_penalty, frequency_penalty, repetition_penalty, logit_bias, ignore_eos, max_output_tokens, top_logprobs } = body;
  const sampling = { stop, seed, temperature, top_p, top_k, min_p, presence_penalty, frequency_penalty, repetition_penalty, logit_bias };
  const logprobs = wantsLogprobs(body);
  return defined<ChatCompletionRequest>({
    model,
    messages: [...system, ...conversation],
    max_completion_tokens: max_output_tokens,
    ...sampling,
    logprobs: logprobs || undefined,
    top_logprobs: logprobs ? top_logprobs : undefined,
    ignore_eos,
    stream,
    best_of,
    best_of_options,
  });
}

/** Without the fields that are undefined. */
function defined<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** Names of a chat request's fields as this route has them. */
const names: Readonly<Record<string, string>> = {
  messages: "input",
  max_tokens: "max_output_tokens",
  max_completion_tokens: "max_output_tokens",
};

/** An error about the chat request as one about the response that it was made from. */
export function asResponseError(error: unknown): unknown {
  const param = error instanceof BonsaiError ? names[error.param ?? ""] : undefined;
  if (param === undefined || !(error instanceof BonsaiError)) return error;
  return new BonsaiError(error.code, error.message, { param, cause: error, retryAfterSeconds: error.retryAfterSeconds });
}
