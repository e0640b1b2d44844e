/** @file POST /v1/rewards. */

import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { rewardsInputs, toRewards } from "../../protocol/mapping/rewards.ts";
import { Rewards, rewardsRequest } from "../../protocol/wire/rewards.ts";
import type { ServerContext } from "../context.ts";
import { findRewardModel } from "../generation/scoring.ts";
import { sendJson } from "../generation/json-answer.ts";
import { generationFailures } from "./answers.ts";

export function rewardsRoute(server: FastifyInstance, { config, lifecycle }: ServerContext): void {
  server.withTypeProvider<TypeBoxTypeProvider>().post(
    "/v1/rewards",
    {
      config: { generates: true },
      schema: {
        tags: ["scoring"],
        operationId: "createRewards",
        summary: "Reward answers",
        body: rewardsRequest(config),
        response: {
          200: { description: "The rewards, in the order of the input.", content: { "application/json": { schema: Rewards } } },
          ...generationFailures,
        },
      },
    },
    async ({ body }, reply) => {
      const model = findRewardModel(lifecycle.requireEngine(), body.model);
      const inputs = rewardsInputs(body);
      const { signal } = lifecycle.signalFor(reply);
      const answers = await model.score(inputs, { truncate: body.truncate ?? false, signal });
      return sendJson(reply, toRewards(model, answers));
    },
  );
}
