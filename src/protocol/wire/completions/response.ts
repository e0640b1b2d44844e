/** @file The answer of POST /v1/completions, whole or in chunks, which have the same shape. */

import { Type, type Static } from "typebox";
import { BestOf, BestOfDone, BestOfProgress, ChoiceReward } from "../best-of-response.ts";
import { Usage } from "../usage.ts";
import { CompletionLogprobs } from "./logprobs.ts";

const finishReason = Type.Union([Type.Literal("stop"), Type.Literal("length")]);

export const Choice = Type.Object({
  index: Type.Integer({ description: "Place of the prompt times n, plus place of the answer." }),
  text: Type.String(),
  logprobs: Type.Union([CompletionLogprobs, Type.Null()]),
  finish_reason: Type.Union([finishReason, Type.Null()], { description: "Null in chunks before the last of a choice." }),
  reward: ChoiceReward,
});

/** Which prompt is meant, where a request has several. */
const promptPlace = Type.Optional(Type.Integer({ description: "Place of the prompt, where the request has several." }));
export type Choice = Static<typeof Choice>;

export const Completion = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("text_completion"),
    created: Type.Integer({ description: "Seconds since the epoch." }),
    model: Type.String(),
    system_fingerprint: Type.String({ description: "Answers to the same request and seed change only when this does." }),
    choices: Type.Array(Choice),
    usage: Type.Optional(Type.Union([Usage, Type.Null()])),
    best_of: Type.Optional(
      Type.Union(
        [
          BestOf,
          Type.Array(BestOf),
          Type.Object({ ...BestOfProgress.properties, prompt: promptPlace }),
          Type.Object({ ...BestOfDone.properties, prompt: promptPlace }),
        ],
        { description: "Of a request with several prompts, a list with one for each; in chunks, of one prompt at a time." },
      ),
    ),
  },
  { title: "Completion" },
);
export type Completion = Static<typeof Completion>;
