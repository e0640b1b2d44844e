/** @file POST /v1/rerank. */

import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { rerankInputs, toRerank } from "../../protocol/mapping/rerank.ts";
import { Rerank, rerankRequest } from "../../protocol/wire/rerank.ts";
import type { ServerContext } from "../context.ts";
import { findRewardModel } from "../generation/scoring.ts";
import { sendJson } from "../generation/json-answer.ts";
import { generationFailures } from "./answers.ts";

export function rerankRoute(server: FastifyInstance, { config, lifecycle }: ServerContext): void {
  server.withTypeProvider<TypeBoxTypeProvider>().post(
    "/v1/rerank",
    {
      config: { generates: true },
      schema: {
        tags: ["scoring"],
        operationId: "createRerank",
        summary: "Order documents by their reward",
        body: rerankRequest(config),
        response: {
          200: { description: "The documents, best first.", content: { "application/json": { schema: Rerank } } },
          ...generationFailures,
        },
      },
    },
    async ({ body }, reply) => {
      const model = findRewardModel(lifecycle.requireEngine(), body.model);
      const inputs = rerankInputs(body);
      const { signal } = lifecycle.signalFor(reply);
      const answers = await model.score(inputs, { truncate: body.truncate ?? false, signal });
      return sendJson(reply, toRerank(model.name, body, answers));
    },
  );
}
