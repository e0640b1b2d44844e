/** @file The body of POST /v1/responses: every documented field, and the chat request that it comes to. */

import { Type, type Static } from "typebox";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { contentPartsLimit, messagesLimit, type ChatCompletionRequest, type roles } from "../chat/completions/request.ts";
import { generationFields, topLogprobsLimit } from "../generation-request.ts";
import { ignored, nullable, unsupported, words, type RequestLimits } from "../wire/schema.ts";

/** What `include` names to have log-probabilities. */
const logprobsIncluded = "message.output_text.logprobs";
/** Most labels of `metadata`, and their longest key and value, as OpenAI has them. */
const metadataLimits = { entries: 16, key: 64, value: 512 };

const TextPart = Type.Object(
  {
    type: words(["input_text", "output_text"]),
    text: Type.String(),
    annotations: unsupported("the models read text only", { type: ["array", "null"], maxItems: 0 }),
    logprobs: ignored("what an earlier answer had", { type: ["array", "null"] }),
    prompt_cache_breakpoint: ignored("every common prefix is cached", { type: ["object", "null"] }),
    parsed: ignored("what a client made of an earlier answer", {}),
  },
  { additionalProperties: false, description: "Texts are joined in order. Images, audio and files are not supported." },
);

/** A message of the input: one that the client wrote, or one of an earlier answer as it came. */
const InputItem = Type.Object(
  {
    type: Type.Optional(words(["message"], { description: "Other items, such as tool calls, are not supported." })),
    role: words(["system", "developer", "user", "assistant"]),
    content: Type.Union([Type.String(), Type.Array(TextPart, { minItems: 1, maxItems: contentPartsLimit })], {
      description: "A text, or a list of text parts.",
    }),
    id: ignored("the id of an earlier answer's item", { type: ["string", "null"] }),
    status: ignored("the state of an earlier answer's item", { type: ["string", "null"] }),
    phase: ignored("the models' answers have no phases", { type: ["string", "null"] }),
  },
  { additionalProperties: false },
);

/** Schema of the body, under the server's limits. */
export const responseRequest = (limits: RequestLimits) => {
  const { n: _, max_tokens: __, stream_options: ___, user, ...shared } = generationFields(limits);
  return Type.Object(
    {
      ...shared,
      input: Type.Union([Type.String(), Type.Array(InputItem, { minItems: 1, maxItems: messagesLimit })], {
        description: "What is asked: a text of the user, or messages. It follows the conversation of previous_response_id.",
      }),
      instructions: nullable(Type.String({ description: "A system message before everything. It is not handed on to later responses." })),
      previous_response_id: nullable(
        Type.String({ minLength: 1, maxLength: 128, description: "A stored response, whose conversation this one continues." }),
      ),
      store: nullable(Type.Boolean({ default: true, description: "Keep the conversation for previous_response_id, for a while." })),
      max_output_tokens: nullable(
        Type.Integer({
          minimum: 1,
          maximum: Number.MAX_SAFE_INTEGER,
          description: "Most tokens of the answer. Absent: whatever the context leaves.",
        }),
      ),
      stream_options: nullable(
        Type.Object(
          { include_obfuscation: unsupported("events carry no padding", { enum: [false, null] }) },
          { additionalProperties: false, description: "Only with `stream: true`." },
        ),
      ),
      include: nullable(
        Type.Array(words([logprobsIncluded]), { maxItems: 8, description: "Give the log-probability of each token of the answer." }),
      ),
      top_logprobs: nullable(
        Type.Integer({
          minimum: 0,
          maximum: topLogprobsLimit,
          description: `And those of this many likeliest tokens; above 0 it needs include: ["${logprobsIncluded}"].`,
        }),
      ),
      metadata: Type.Optional(
        Type.Unsafe<Record<string, string> | null>({
          type: ["object", "null"],
          maxProperties: metadataLimits.entries,
          additionalProperties: { type: "string", maxLength: metadataLimits.value },
          description: "Labels of the client, which come back with the response.",
        }),
      ),
      // Not an `enum` of an object: Ajv's deep comparison calls `valueOf` and `toString` of the value, which a body may
      // replace.
      text: unsupported("answers are plain text", {
        type: ["object", "null"],
        maxProperties: 2,
        properties: {
          format: unsupported('answers are plain text, as {"type": "text"} asks', {
            type: ["object", "null"],
            required: ["type"],
            maxProperties: 1,
            properties: { type: unsupported("answers are plain text", { enum: ["text"] }) },
          }),
          verbosity: unsupported("the models have no verbosity to set", { enum: ["medium", null] }),
        },
      }),
      truncation: unsupported("a conversation that is too long is refused", { enum: ["disabled", null] }),
      background: unsupported("a response lives as long as its request", { enum: [false, null] }),
      tools: unsupported("the server calls no tools", { type: ["array", "null"], maxItems: 0 }),
      tool_choice: unsupported("the server calls no tools", { enum: ["none", "auto", null] }),
      reasoning: unsupported("the models have no reasoning to set", { type: ["object", "null"], maxProperties: 0 }),
      conversation: unsupported("conversations are continued by previous_response_id"),
      prompt: unsupported("the server keeps no prompt templates"),
      context_management: unsupported("a conversation that is too long is refused", { type: ["array", "null"], maxItems: 0 }),
      moderation: unsupported("the server moderates nothing"),
      max_tool_calls: ignored("there are no tools to call", { type: ["integer", "null"] }),
      parallel_tool_calls: ignored("there are no tools to call", { type: ["boolean", "null"] }),
      service_tier: ignored("there is one tier", {
        type: ["string", "null"],
        enum: ["auto", "default", "flex", "scale", "priority", null],
      }),
      user,
      safety_identifier: ignored("a label for the client's own users", { type: ["string", "null"] }),
      prompt_cache_key: ignored("every common prefix is cached", { type: ["string", "null"] }),
      prompt_cache_retention: ignored("every common prefix is cached", { type: ["string", "null"] }),
      prompt_cache_options: ignored("every common prefix is cached", { type: ["object", "null"] }),
    },
    { additionalProperties: false, title: "ResponseRequest" },
  );
};

/** The body, after validation. */
export type ResponseRequest = Static<ReturnType<typeof responseRequest>>;

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
