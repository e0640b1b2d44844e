/**
 * @file What /v1/rewards and /v1/rerank have in common: the model's name, whether long inputs are cut, and the usage.
 */

import { Type, type Static } from "typebox";
import { ignored, nullable } from "./schema.ts";

/** Most that a request may ask for; the server's configuration sets it. */
export interface ScoringLimits {
  /** Conversations or documents of one request. */
  maxInputs: number;
}

/** The fields, for the object schemas of both routes. */
export const scoringFields = {
  model: Type.String({ minLength: 1, maxLength: 1024, description: "Id of a reward model that GET /v1/models lists." }),
  truncate: nullable(
    Type.Boolean({
      default: false,
      description:
        "What to do with inputs that are longer than the model reads: cut them (a decoder's at the beginning, an encoder's longer text at its end) and say so in the answer, or refuse the request.",
    }),
  ),
  user: ignored("a label for the client's own users", { type: ["string", "null"] }),
};

/** The field `truncated` of an entry of the answer. */
export const truncated = Type.Boolean({ description: "Whether the input was cut because the model reads no more." });

export const ScoringUsage = Type.Object({
  prompt_tokens: Type.Integer({ description: "Tokens that the model read." }),
  total_tokens: Type.Integer(),
  prompt_tokens_details: Type.Object({
    cached_tokens: Type.Integer({ description: "Tokens that other inputs or earlier requests had computed." }),
  }),
  truncated_tokens: Type.Integer({
    description:
      "Tokens that were cut, over all inputs. Text far beyond what the model reads is not tokenised and counts as its fewest possible tokens.",
  }),
});
export type ScoringUsage = Static<typeof ScoringUsage>;
