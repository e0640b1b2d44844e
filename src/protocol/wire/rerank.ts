/**
 * @file POST /v1/rerank in the shape of Jina's and Cohere's: documents in the order of their reward as answers to a
 * query.
 */

import { Type, type Static } from "typebox";
import { nullable, unsupported } from "./schema.ts";
import { scoringFields, type ScoringLimits, ScoringUsage, truncated } from "./scoring.ts";

/** Schema of the body, under the server's limits. */
export const rerankRequest = ({ maxInputs }: ScoringLimits) =>
  Type.Object(
    {
      ...scoringFields,
      query: Type.String({ minLength: 1, description: "What the documents answer." }),
      documents: Type.Array(
        Type.Union([Type.String(), Type.Object({ text: Type.String() }, { additionalProperties: false })], {
          description: 'A text, or {"text"}.',
        }),
        { minItems: 1, maxItems: maxInputs },
      ),
      top_n: nullable(
        Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: "Give this many of the best. Absent: all." }),
      ),
      return_documents: nullable(Type.Boolean({ default: true, description: "Give the documents' texts with their scores." })),
      max_tokens_per_doc: unsupported("a model reads as many tokens as it was trained to; truncate says what to do with longer documents"),
      max_chunks_per_doc: unsupported("documents are scored whole; truncate says what to do with long ones"),
      rank_fields: unsupported("documents have a text and no other fields"),
    },
    { additionalProperties: false, title: "RerankRequest" },
  );
export type RerankRequest = Static<ReturnType<typeof rerankRequest>>;

export const Rerank = Type.Object(
  {
    object: Type.Literal("list"),
    model: Type.String(),
    results: Type.Array(
      Type.Object({
        index: Type.Integer({ description: "Place in `documents`." }),
        relevance_score: Type.Number({ description: "The document's normalised reward as an answer to the query; may be below 0." }),
        document: Type.Optional(Type.Object({ text: Type.String() })),
        truncated,
      }),
      { description: "Best first; of equal ones, the one that was given first." },
    ),
    usage: ScoringUsage,
  },
  { title: "Rerank" },
);
export type Rerank = Static<typeof Rerank>;
