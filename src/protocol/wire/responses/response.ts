/** @file The answer of POST /v1/responses. */

import { Type, type Static } from "typebox";
import { BestOf } from "../best-of-response.ts";
import { words } from "../schema.ts";

const TopLogprob = Type.Object({ token: Type.String(), bytes: Type.Array(Type.Integer()), logprob: Type.Number() });

export const OutputLogprob = Type.Object({ ...TopLogprob.properties, top_logprobs: Type.Array(TopLogprob) });
export type OutputLogprob = Static<typeof OutputLogprob>;

export const OutputText = Type.Object({
  type: Type.Literal("output_text"),
  text: Type.String(),
  annotations: Type.Array(Type.Never(), { maxItems: 0 }),
  logprobs: Type.Array(OutputLogprob),
});
export type OutputText = Static<typeof OutputText>;

const itemStatus = words(["in_progress", "completed", "incomplete"]);

export const OutputMessage = Type.Object({
  id: Type.String(),
  type: Type.Literal("message"),
  role: Type.Literal("assistant"),
  status: itemStatus,
  content: Type.Array(OutputText),
});
export type OutputMessage = Static<typeof OutputMessage>;

export const ResponseUsage = Type.Object({
  input_tokens: Type.Integer(),
  input_tokens_details: Type.Object({
    cached_tokens: Type.Integer({ description: "Input tokens that the prefix cache answered." }),
    cache_write_tokens: Type.Integer(),
  }),
  output_tokens: Type.Integer({ description: "Of all candidates that the answer was chosen among." }),
  output_tokens_details: Type.Object({ reasoning_tokens: Type.Integer() }),
  total_tokens: Type.Integer(),
});
export type ResponseUsage = Static<typeof ResponseUsage>;

const nullOr = <S extends Type.TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

export const ResponseObject = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("response"),
    created_at: Type.Integer({ description: "Seconds since the epoch." }),
    completed_at: nullOr(Type.Integer()),
    status: words(["in_progress", "completed", "incomplete", "failed"]),
    error: nullOr(Type.Object({ code: words(["server_error", "rate_limit_exceeded", "invalid_prompt"]), message: Type.String() })),
    incomplete_details: nullOr(
      Type.Object({ reason: words(["max_output_tokens"], { description: "max_output_tokens or the context is used up." }) }),
    ),
    instructions: nullOr(Type.String()),
    max_output_tokens: nullOr(Type.Integer()),
    model: Type.String(),
    output: Type.Array(OutputMessage),
    previous_response_id: nullOr(Type.String()),
    store: Type.Boolean(),
    temperature: Type.Number(),
    top_p: Type.Number(),
    top_logprobs: Type.Integer(),
    metadata: Type.Record(Type.String(), Type.String()),
    background: Type.Literal(false),
    parallel_tool_calls: Type.Boolean(),
    text: Type.Object({ format: Type.Object({ type: Type.Literal("text") }) }),
    tool_choice: words(["none", "auto"]),
    tools: Type.Array(Type.Never(), { maxItems: 0 }),
    truncation: Type.Literal("disabled"),
    usage: Type.Optional(ResponseUsage),
    system_fingerprint: Type.String({ description: "Answers to the same request and seed change only when this does." }),
    best_of: Type.Optional(BestOf),
  },
  { title: "Response" },
);
export type ResponseObject = Static<typeof ResponseObject>;

/** Who answers a response, and when it was asked for. */
export interface ResponseHead {
  id: string;
  created: number;
  model: string;
  system_fingerprint: string;
}
