/** @file The answer of POST /v1/chat/completions, whole or in chunks. */

import { Type, type Static } from "typebox";
import { BestOf, BestOfDone, BestOfProgress, ChoiceReward } from "../best-of-response.ts";
import { Usage } from "../usage.ts";

const TopLogprob = Type.Object({ token: Type.String(), bytes: Type.Array(Type.Integer()), logprob: Type.Number() });

export const ChatLogprobs = Type.Object({
  content: Type.Array(Type.Object({ ...TopLogprob.properties, top_logprobs: Type.Array(TopLogprob) })),
  refusal: Type.Null(),
});
export type ChatLogprobs = Static<typeof ChatLogprobs>;

const finishReason = Type.Union([Type.Literal("stop"), Type.Literal("length")], {
  description: "stop: end of the answer or a stop string. length: max_tokens or the context is used up.",
});

const head = {
  id: Type.String(),
  created: Type.Integer({ description: "Seconds since the epoch." }),
  model: Type.String(),
  system_fingerprint: Type.String({ description: "Answers to the same request and seed change only when this does." }),
};

export const ChatCompletion = Type.Object(
  {
    ...head,
    object: Type.Literal("chat.completion"),
    choices: Type.Array(
      Type.Object({
        index: Type.Integer(),
        message: Type.Object({ role: Type.Literal("assistant"), content: Type.String(), refusal: Type.Null() }),
        logprobs: Type.Union([ChatLogprobs, Type.Null()]),
        finish_reason: finishReason,
        reward: ChoiceReward,
      }),
    ),
    usage: Usage,
    best_of: Type.Optional(BestOf),
  },
  { title: "ChatCompletion" },
);
export type ChatCompletion = Static<typeof ChatCompletion>;

export const ChatCompletionChunk = Type.Object(
  {
    ...head,
    object: Type.Literal("chat.completion.chunk"),
    choices: Type.Array(
      Type.Object({
        index: Type.Integer(),
        delta: Type.Object({ role: Type.Optional(Type.Literal("assistant")), content: Type.Optional(Type.String()) }),
        logprobs: Type.Union([ChatLogprobs, Type.Null()]),
        finish_reason: Type.Union([finishReason, Type.Null()]),
      }),
    ),
    usage: Type.Optional(Type.Union([Usage, Type.Null()])),
    best_of: Type.Optional(Type.Union([BestOfProgress, BestOfDone])),
  },
  { title: "ChatCompletionChunk" },
);
export type ChatCompletionChunk = Static<typeof ChatCompletionChunk>;
