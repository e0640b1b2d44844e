/** @file Begins the answer of POST /v1/responses. */

import type { ResponseRequest } from "../../wire/responses/request.ts";
import type { ResponseHead, ResponseObject, ResponseUsage } from "../../wire/responses/response.ts";
import type { Usage } from "../../wire/usage.ts";

export const toResponseUsage = (usage: Usage): ResponseUsage => ({
  input_tokens: usage.prompt_tokens,
  input_tokens_details: { cached_tokens: usage.prompt_tokens_details.cached_tokens, cache_write_tokens: 0 },
  output_tokens: usage.completion_tokens,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: usage.total_tokens,
});

/** A response that has begun. */
export function beginResponse({ id, created, model, system_fingerprint }: ResponseHead, body: ResponseRequest): ResponseObject {
  return {
    id,
    object: "response",
    created_at: created,
    completed_at: null,
    status: "in_progress",
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    model,
    output: [],
    previous_response_id: body.previous_response_id ?? null,
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    top_p: body.top_p ?? 1,
    top_logprobs: body.top_logprobs ?? 0,
    metadata: body.metadata ?? {},
    background: false,
    parallel_tool_calls: typeof body.parallel_tool_calls === "boolean" ? body.parallel_tool_calls : true,
    text: { format: { type: "text" } },
    tool_choice: body.tool_choice === "none" ? "none" : "auto",
    tools: [],
    truncation: "disabled",
    system_fingerprint,
  };
}
