/** @file The log-probabilities of completions in OpenAI's legacy shape: parallel lists over tokens. */

import { Type, type Static } from "typebox";

export const CompletionLogprobs = Type.Object({
  tokens: Type.Array(Type.String({ description: "Text of each token; `bytes:` and escapes where the token is part of a character." })),
  token_logprobs: Type.Array(
    Type.Union([Type.Number(), Type.Null()], { description: "Null for the first token of an echoed prompt, which nothing predicts." }),
  ),
  top_logprobs: Type.Array(Type.Union([Type.Record(Type.String(), Type.Number()), Type.Null()])),
  text_offset: Type.Array(
    Type.Integer({ description: "Place in `text` of the character that the token starts or continues, in Unicode code points." }),
  ),
});
export type CompletionLogprobs = Static<typeof CompletionLogprobs>;
