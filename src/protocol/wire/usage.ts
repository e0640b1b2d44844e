/**
 * @file The `usage` of an answer: prompt tokens count once for each prompt, completion tokens for every choice and
 * every candidate.
 */

import { Type, type Static } from "typebox";

export const Usage = Type.Object({
  prompt_tokens: Type.Integer({ description: "Tokens of the prompt, once, however many choices share it." }),
  completion_tokens: Type.Integer({ description: "Tokens of all choices, and of all candidates that they were chosen among." }),
  total_tokens: Type.Integer(),
  prompt_tokens_details: Type.Object({ cached_tokens: Type.Integer({ description: "Prompt tokens that the prefix cache answered." }) }),
});
export type Usage = Static<typeof Usage>;
