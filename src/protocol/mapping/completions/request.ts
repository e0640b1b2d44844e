/** @file From the body of POST /v1/completions to requests of the engine. */

import type { GenerateRequest, ModelInfo, Prompt } from "../../../engine/contract/request.ts";
import { BonsaiError } from "../../../errors/bonsai-error.ts";
import { defaultMaxTokens, type CompletionRequest } from "../../wire/completions/request.ts";
import type { RequestLimits } from "../../wire/schema.ts";
import { toGenerateRequest } from "../generation-request.ts";

/**
 * What a validated body asks of the engine: one request for each prompt, all with the same seed, so that each answer is
 * the one that its prompt gets alone.
 * @param randomSeed Used when the request has no seed.
 * @param candidates Sequences to sample for each prompt where they are more than come back.
 * @throws BonsaiError `invalid_request` or `request_too_large` with `param`.
 */
export function completionToGenerateRequests(
  body: CompletionRequest,
  model: ModelInfo,
  limits: RequestLimits,
  randomSeed: number,
  candidates?: number,
): GenerateRequest[] {
  const prompts = toPrompts(body.prompt, model);
  const each = candidates ?? body.n ?? 1;
  const sequences = prompts.length * each;
  if (sequences > limits.maxN) {
    const param = candidates === undefined ? "n" : "best_of";
    throw new BonsaiError(
      "request_too_large",
      `${prompts.length} prompts with ${param} = ${each} are ${sequences} sequences; the server takes ${limits.maxN} a request (--max-n).`,
      { param },
    );
  }
  const echo = body.echo ?? false;
  if (body.max_tokens === 0 && !echo)
    throw new BonsaiError("invalid_request", "max_tokens must be at least 1 unless echo is true.", { param: "max_tokens" });
  const rest = { maxTokens: body.max_tokens ?? defaultMaxTokens, logprobs: body.logprobs ?? undefined, echo };
  return prompts.map((prompt) => toGenerateRequest(body, prompt, model, rest, randomSeed, candidates));
}

function toPrompts(prompt: CompletionRequest["prompt"], model: ModelInfo): Prompt[] {
  if (prompt === null) return [{ kind: "text", text: "" }];
  if (typeof prompt === "string") return [{ kind: "text", text: prompt }];
  if (typeof prompt[0] === "number") return [tokenPrompt(prompt as number[], model, "prompt")];
  return (prompt as (string | number[])[]).map((entry, index) =>
    typeof entry === "string" ? { kind: "text", text: entry } : tokenPrompt(entry, model, `prompt[${index}]`),
  );
}

function tokenPrompt(ids: number[], model: ModelInfo, path: string): Prompt {
  const place = ids.findIndex((id) => id >= model.vocabSize);
  if (place >= 0) {
    throw new BonsaiError("invalid_request", `${path}[${place}] is no token of the model, whose ids end at ${model.vocabSize - 1}.`, {
      param: `${path}[${place}]`,
    });
  }
  return { kind: "tokens", ids };
}
