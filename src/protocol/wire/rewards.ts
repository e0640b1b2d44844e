/** @file POST /v1/rewards: conversations in, the reward of each one's last answer out, as a whole and by dimension. */

import { Type, type Static } from "typebox";
import { ChatMessage, messagesLimit } from "./chat/request.ts";
import { scoringFields, type ScoringLimits, ScoringUsage, truncated } from "./scoring.ts";

/** Schema of the body, under the server's limits. */
export const rewardsRequest = ({ maxInputs }: ScoringLimits) =>
  Type.Object(
    {
      ...scoringFields,
      input: Type.Array(
        Type.Object(
          {
            messages: Type.Array(ChatMessage, {
              minItems: 1,
              maxItems: messagesLimit,
              description: "A conversation whose last message, of role `assistant`, is the answer to reward.",
            }),
          },
          { additionalProperties: false },
        ),
        { minItems: 1, maxItems: maxInputs },
      ),
    },
    { additionalProperties: false, title: "RewardsRequest" },
  );
export type RewardsRequest = Static<ReturnType<typeof rewardsRequest>>;

export const Rewards = Type.Object(
  {
    object: Type.Literal("list"),
    model: Type.String(),
    data: Type.Array(
      Type.Object({
        object: Type.Literal("reward"),
        index: Type.Integer({ description: "Place in `input`." }),
        reward: Type.Number({
          description: "The weighted reward, on the scale on which the model's reference set has mean 0 and deviation 1.",
        }),
        raw: Type.Number({ description: "The weighted reward as the model gives it." }),
        dimensions: Type.Record(Type.String(), Type.Number(), { description: "The normalised reward of each dimension, by its name." }),
        truncated,
      }),
    ),
    usage: ScoringUsage,
  },
  { title: "Rewards" },
);
export type Rewards = Static<typeof Rewards>;
