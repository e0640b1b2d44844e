/** @file The request fields that chat completions and completions share. */

import { Type, type Static } from "typebox";
import { bestOfFields } from "./best-of-request.ts";
import { ignored, nullable, type RequestLimits, unsupported } from "./schema.ts";

/** Most entries of logit_bias. */
export const logitBiasLimit = 1024;
/** Longest stop string, in UTF-16 code units. */
export const stopLengthLimit = 1024;
/** Most alternatives of a token's log-probability, as the engine has them. */
export const topLogprobsLimit = 20;

const StopString = Type.String({ minLength: 1, maxLength: stopLengthLimit });

/** The fields, for the object schemas of both routes. */
export const generationFields = (limits: RequestLimits) => ({
  model: Type.String({ minLength: 1, maxLength: 1024, description: "Id of a model that GET /v1/models lists." }),
  n: nullable(Type.Integer({ minimum: 1, maximum: limits.maxN, default: 1, description: "Answers to sample from the one prompt." })),
  stop: Type.Optional(
    Type.Union([StopString, Type.Array(StopString, { maxItems: limits.maxStopSequences }), Type.Null()], {
      description: "An answer ends before the first of these texts; the text itself is not part of it.",
    }),
  ),
  seed: nullable(
    Type.Integer({
      minimum: -Number.MAX_SAFE_INTEGER,
      maximum: Number.MAX_SAFE_INTEGER,
      description: "Same request and seed, same bytes. A negative seed s stands for 2^53 + s. Random when absent.",
    }),
  ),
  temperature: nullable(
    Type.Number({ minimum: 0, maximum: 2, default: 1, description: "Divides the logits; 0 always takes the likeliest token." }),
  ),
  top_p: nullable(
    Type.Number({
      minimum: 0,
      maximum: 1,
      default: 1,
      description: "Keep the smallest set of likeliest tokens that has this probability.",
    }),
  ),
  top_k: nullable(
    Type.Integer({
      minimum: -1,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 0,
      description: "Keep this many of the likeliest tokens; 0 and -1 keep all.",
    }),
  ),
  min_p: nullable(
    Type.Number({ minimum: 0, maximum: 1, default: 0, description: "Keep tokens at least this fraction as likely as the likeliest." }),
  ),
  presence_penalty: nullable(
    Type.Number({ minimum: -2, maximum: 2, default: 0, description: "Subtracted from the logit of each token that the answer has." }),
  ),
  frequency_penalty: nullable(
    Type.Number({
      minimum: -2,
      maximum: 2,
      default: 0,
      description: "Subtracted from the logit of a token for each time the answer has it.",
    }),
  ),
  repetition_penalty: nullable(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 10,
      default: 1,
      description: "Divides positive and multiplies negative logits of tokens in prompt or answer.",
    }),
  ),
  logit_bias: Type.Optional(
    Type.Unsafe<Record<string, number> | null>({
      type: ["object", "null"],
      maxProperties: logitBiasLimit,
      propertyNames: { pattern: "^[0-9]{1,9}$" },
      additionalProperties: { type: "number", minimum: -100, maximum: 100 },
      description: "Added to the logits of tokens, by token id.",
    }),
  ),
  max_tokens: nullable(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: "Most tokens of each answer." })),
  ignore_eos: nullable(Type.Boolean({ default: false, description: "Go on past the end-of-sequence token, for benchmarks." })),
  stream: nullable(Type.Boolean({ default: false, description: "Answer in server-sent events, token by token." })),
  stream_options: nullable(
    Type.Object(
      {
        include_usage: nullable(
          Type.Boolean({ default: false, description: "Add a last chunk with `usage`, and `usage: null` to the others." }),
        ),
        include_obfuscation: unsupported("chunks carry no padding", { enum: [false, null] }),
      },
      { additionalProperties: false, description: "Only with `stream: true`." },
    ),
  ),
  user: ignored("a label for the client's own users", { type: ["string", "null"] }),
  ...bestOfFields(limits),
});

const sharedObject = Type.Object(generationFields({ maxN: 1, maxStopSequences: 1 }));
/** The values of the shared fields, after validation. */
export type GenerationFields = Static<typeof sharedObject>;
