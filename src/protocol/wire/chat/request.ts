/** @file The body of POST /v1/chat/completions: every documented field. */

import { Type, type Static } from "typebox";
import { generationFields, topLogprobsLimit } from "../generation-request.ts";
import { ignored, nullable, type RequestLimits, unsupported, words } from "../schema.ts";

/** Most messages of a conversation. */
export const messagesLimit = 4096;
/** Most parts of a message's content. */
export const contentPartsLimit = 1024;

export const roles = ["system", "developer", "user", "assistant", "tool"] as const;

const TextPart = Type.Object(
  { type: words(["text"]), text: Type.String() },
  { additionalProperties: false, description: "Texts are joined in order. Images, audio and files are not supported." },
);

/** A message of a conversation. */
export const ChatMessage = Type.Object(
  {
    role: words(roles),
    content: Type.Optional(
      Type.Union([Type.String(), Type.Array(TextPart, { minItems: 1, maxItems: contentPartsLimit }), Type.Null()], {
        description: "A text, or a list of text parts.",
      }),
    ),
    name: nullable(Type.String({ maxLength: 1024, description: "Handed to the chat template." })),
    tool_call_id: ignored("messages of role `tool` are handed to the chat template as text", { type: ["string", "null"] }),
    refusal: unsupported("the models have no refusals"),
    annotations: unsupported("the models read text only", { type: ["array", "null"], maxItems: 0 }),
    audio: unsupported("the models read text only"),
    tool_calls: unsupported("the server calls no tools", { type: ["array", "null"], maxItems: 0 }),
    function_call: unsupported("the server calls no functions"),
  },
  { additionalProperties: false },
);

/** Schema of the body, under the server's limits. */
export const chatCompletionRequest = (limits: RequestLimits) =>
  Type.Object(
    {
      ...generationFields(limits),
      messages: Type.Array(ChatMessage, {
        minItems: 1,
        maxItems: messagesLimit,
        description: "The conversation so far, rendered with the model's own chat template.",
      }),
      max_completion_tokens: nullable(
        Type.Integer({
          minimum: 1,
          maximum: Number.MAX_SAFE_INTEGER,
          description: "Most tokens of each answer; the current name of max_tokens. Absent: whatever the context leaves.",
        }),
      ),
      max_tokens: nullable(
        Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: "The older name of max_completion_tokens." }),
      ),
      logprobs: nullable(Type.Boolean({ default: false, description: "Give the log-probability of each token." })),
      top_logprobs: nullable(
        Type.Integer({ minimum: 0, maximum: topLogprobsLimit, description: "And those of this many likeliest tokens; needs logprobs." }),
      ),
      // Not an `enum` of an object: Ajv's deep comparison calls `valueOf` and `toString` of the value, which a body may
      // replace.
      response_format: unsupported('answers are text only, as {"type": "text"} asks', {
        type: ["object", "null"],
        required: ["type"],
        maxProperties: 1,
        properties: { type: unsupported("answers are text only", { enum: ["text"] }) },
      }),
      metadata: ignored("labels of the client", { type: ["object", "null"], additionalProperties: { type: "string" } }),
      store: ignored("nothing is stored", { type: ["boolean", "null"] }),
      service_tier: ignored("there is one tier", {
        type: ["string", "null"],
        enum: ["auto", "default", "flex", "scale", "priority", null],
      }),
      safety_identifier: ignored("a label for the client's own users", { type: ["string", "null"] }),
      prompt_cache_key: ignored("every common prefix is cached", { type: ["string", "null"] }),
      prompt_cache_retention: ignored("every common prefix is cached", { type: ["string", "null"] }),
      prompt_cache_options: ignored("every common prefix is cached", { type: ["object", "null"] }),
      parallel_tool_calls: ignored("there are no tools to call", { type: ["boolean", "null"] }),
      tools: unsupported("the server calls no tools", { type: ["array", "null"], maxItems: 0 }),
      tool_choice: unsupported("the server calls no tools", { enum: ["none", "auto", null] }),
      functions: unsupported("the server calls no functions", { type: ["array", "null"], maxItems: 0 }),
      function_call: unsupported("the server calls no functions", { enum: ["none", "auto", null] }),
      modalities: unsupported("answers are text only", { enum: [["text"], [], null] }),
      audio: unsupported("answers are text only"),
      prediction: unsupported("the server predicts no outputs"),
      reasoning_effort: unsupported("the models have no reasoning effort to set", { enum: ["none", null] }),
      verbosity: unsupported("the models have no verbosity to set", { enum: ["medium", null] }),
      web_search_options: unsupported("the server searches nothing"),
      moderation: unsupported("the server moderates nothing"),
    },
    { additionalProperties: false, title: "ChatCompletionRequest" },
  );

/** The body, after validation. */
export type ChatCompletionRequest = Static<ReturnType<typeof chatCompletionRequest>>;
