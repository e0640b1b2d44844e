/** @file From a body of POST /v1/rerank to inputs of the reward model, and from its rewards to the answer. */

import type { ScoreInput } from "../../engine/contract/score-request.ts";
import type { RewardedAnswer } from "../../reward/reward-model.ts";
import type { Rerank, RerankRequest } from "../wire/rerank.ts";
import { usageOf } from "./scoring-usage.ts";

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
