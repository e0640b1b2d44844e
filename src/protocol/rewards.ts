/** @file POST /v1/rewards: conversations in, the reward of each one's last answer out, as a whole and by dimension. */

import { Type, type Static } from "typebox";
import type { ScoreInput } from "../engine/contract/score-request.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { Message } from "../text/conversation/message.ts";
import type { RewardedAnswer, RewardModel } from "../reward/reward-model.ts";
import { ChatMessage, messagesLimit, toMessages } from "./chat/completions/request.ts";
import { scoringFields, ScoringUsage, truncated, usageOf, type ScoringLimits } from "./scoring.ts";

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
type RewardsRequest = Static<ReturnType<typeof rewardsRequest>>;

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
type Rewards = Static<typeof Rewards>;

/**
 * The conversations of a validated body. Those that ask the same have one prompt, which is then tokenised once.
 * @throws BonsaiError `invalid_request` with `param` for one without an answer at its end
 */
export function rewardsInputs({ input }: RewardsRequest): ScoreInput[] {
  const prompts = new Map<string, Message[]>();
  return input.map(({ messages }, index) => {
    const param = `input[${index}]`;
    if (messages.at(-1)?.role !== "assistant") {
      throw new BonsaiError("invalid_request", `${param}.messages must end with the answer to reward, a message of role assistant.`, {
        param: `${param}.messages`,
      });
    }
    const conversation = toMessages(messages, `${param}.messages`);
    const prompt = conversation.slice(0, -1);
    const key = JSON.stringify(prompt);
    const known = prompts.get(key) ?? prompt;
    prompts.set(key, known);
    return { prompt: known, answer: conversation.at(-1)!, param };
  });
}

export function toRewards({ name, dimensions }: RewardModel, answers: readonly RewardedAnswer[]): Rewards {
  return {
    object: "list",
    model: name,
    data: answers.map((answer, index) => ({
      object: "reward",
      index,
      reward: answer.reward,
      raw: answer.raw,
      dimensions: Object.fromEntries(dimensions.map((dimension, at) => [dimension, answer.dimensions[at] as number])),
      truncated: answer.cutTokens > 0,
    })),
    usage: usageOf(answers),
  };
}
