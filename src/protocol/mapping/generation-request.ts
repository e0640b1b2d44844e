/** @file From the request fields that chat completions and completions share to a request of the engine. */

import type { GenerateRequest, ModelInfo, Prompt, SamplingParams } from "../../engine/contract/request.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { GenerationFields } from "../wire/generation-request.ts";

const invalid = (param: string, message: string): BonsaiError => new BonsaiError("invalid_request", message, { param });

/**
 * What the shared fields ask of the engine. Limits of the schema hold already; here are those that need the model or
 * two fields at once.
 * @param randomSeed Used when the request has no seed.
 * @param candidates Sequences to sample where they are more than come back: the request's `best_of`.
 * @throws BonsaiError `invalid_request` with `param`.
 */
export function toGenerateRequest(
  fields: GenerationFields,
  prompt: Prompt,
  model: ModelInfo,
  rest: { maxTokens: number | undefined; logprobs: number | undefined; echo: boolean },
  randomSeed: number,
  candidates: number | undefined,
): GenerateRequest {
  if (typeof fields.stream_options === "object" && fields.stream_options !== null && fields.stream !== true)
    throw invalid("stream_options", "stream_options is only allowed with stream: true.");
  return {
    model: model.id,
    prompt,
    n: candidates ?? fields.n ?? 1,
    maxTokens: rest.maxTokens,
    sampling: toSamplingParams(fields, model.vocabSize),
    seed: toSeed(fields.seed ?? randomSeed),
    stop: [fields.stop ?? []].flat(),
    ignoreEos: fields.ignore_eos ?? false,
    logprobs: rest.logprobs,
    echo: rest.echo,
  };
}

/** Negative seeds, which OpenAI's 64-bit integers allow, take the upper end of the range. */
const toSeed = (seed: number): number => (seed < 0 ? 2 ** 53 + seed : seed);

function toSamplingParams(fields: GenerationFields, vocabSize: number): SamplingParams {
  return {
    temperature: fields.temperature ?? 1,
    topP: fields.top_p ?? 1,
    topK: Math.max(0, fields.top_k ?? 0),
    minP: fields.min_p ?? 0,
    presencePenalty: fields.presence_penalty ?? 0,
    frequencyPenalty: fields.frequency_penalty ?? 0,
    repetitionPenalty: fields.repetition_penalty ?? 1,
    logitBias: Object.entries(fields.logit_bias ?? {}).map(([key, bias]) => {
      const tokenId = Number(key);
      if (tokenId >= vocabSize)
        throw invalid(`logit_bias.${key}`, `logit_bias.${key} is no token of the model, whose ids end at ${vocabSize - 1}.`);
      return [tokenId, bias];
    }),
  };
}
