/** @file POST /v1/rerank in the shape of Jina's and Cohere's: documents in the order of their reward as answers to a query. */

import { Type, type Static } from "typebox";
import type { ScoreInput } from "../engine/contract/score-request.ts";
import type { RewardedAnswer } from "../reward/reward-model.ts";
import { nullable, unsupported } from "./wire/schema.ts";
import { scoringFields, ScoringUsage, truncated, usageOf, type ScoringLimits } from "./scoring.ts";

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
type RerankRequest = Static<ReturnType<typeof rerankRequest>>;

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
type Rerank = Static<typeof Rerank>;

const textOf = (document: RerankRequest["documents"][number]): string => (typeof document === "string" ? document : document.text);

/** Each document as an answer to the query. */
export function rerankInputs({ query, documents }: RerankRequest): ScoreInput[] {
  const prompt = [{ role: "user", content: query }];
  return documents.map((document, index) => ({
    prompt,
    answer: { role: "assistant", content: textOf(document) },
    param: `documents[${index}]`,
  }));
}

export function toRerank(model: string, body: RerankRequest, answers: readonly RewardedAnswer[]): Rerank {
  const ranked = answers
    .map((answer, index) => ({ answer, index }))
    .toSorted((one, other) => other.answer.reward - one.answer.reward || one.index - other.index);
  return {
    object: "list",
    model,
    results: ranked.slice(0, body.top_n ?? ranked.length).map(({ answer, index }) => ({
      index,
      relevance_score: answer.reward,
      ...(body.return_documents === false ? {} : { document: { text: textOf(body.documents[index] as string) } }),
      truncated: answer.cutTokens > 0,
    })),
    usage: usageOf(answers),
  };
}
