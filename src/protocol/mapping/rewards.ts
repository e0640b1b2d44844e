/** @file From a body of POST /v1/rewards to inputs of the reward model, and from its rewards to the answer. */

import type { ScoreInput } from "../../engine/contract/score-request.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { RewardedAnswer, RewardModel } from "../../reward/reward-model.ts";
import type { Message } from "../../text/conversation/message.ts";
import type { Rewards, RewardsRequest } from "../wire/rewards.ts";
import { toMessages } from "./chat/request.ts";
import { usageOf } from "./scoring-usage.ts";

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
