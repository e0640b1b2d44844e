/** @file The body of POST /v1/completions: every documented field. */

import { Type, type Static } from "typebox";
import { generationFields, topLogprobsLimit } from "../generation-request.ts";
import { nullable, type RequestLimits, unsupported } from "../schema.ts";

/** Tokens of an answer when max_tokens is absent, as OpenAI has it. */
export const defaultMaxTokens = 16;

/** As many as the body holds; the model's context is the tighter limit. */
const TokenIds = Type.Array(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }), { minItems: 1 });

/** Schema of the body, under the server's limits. */
export const completionRequest = (limits: RequestLimits) =>
  Type.Object(
    {
      ...generationFields(limits),
      prompt: Type.Union(
        [
          Type.String(),
          Type.Array(Type.String(), { minItems: 1, maxItems: limits.maxN }),
          TokenIds,
          Type.Array(TokenIds, { minItems: 1, maxItems: limits.maxN }),
          Type.Null(),
        ],
        {
          description:
            "A text, a list of texts, a list of token ids, or a list of such lists. Null is the empty text. Several prompts give n answers each, in their order.",
        },
      ),
      max_tokens: nullable(
        Type.Integer({
          minimum: 0,
          maximum: Number.MAX_SAFE_INTEGER,
          default: defaultMaxTokens,
          description: "Most tokens of each answer; 0 only with echo.",
        }),
      ),
      logprobs: nullable(
        Type.Integer({
          minimum: 0,
          maximum: topLogprobsLimit,
          description: "Give the log-probability of each token and of this many likeliest ones.",
        }),
      ),
      echo: nullable(
        Type.Boolean({ default: false, description: "Put the prompt before the answer, with log-probabilities when asked for." }),
      ),
      suffix: unsupported("the models continue a text and fill no gaps", { enum: ["", null] }),
    },
    { additionalProperties: false, title: "CompletionRequest" },
  );

/** The body, after validation. */
export type CompletionRequest = Static<ReturnType<typeof completionRequest>>;
