/** @file The body of POST /v1/responses: every documented field. */

import { Type, type Static } from "typebox";
import { contentPartsLimit, messagesLimit } from "../chat/request.ts";
import { generationFields, topLogprobsLimit } from "../generation-request.ts";
import { ignored, nullable, type RequestLimits, unsupported, words } from "../schema.ts";

/** What `include` names to have log-probabilities. */
export const logprobsIncluded = "message.output_text.logprobs";
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
