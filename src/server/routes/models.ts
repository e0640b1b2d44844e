/** @file GET /v1/models and /v1/models/{id}, whose id may hold slashes. */

import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { toModel, toModelList } from "../../protocol/mapping/models.ts";
import { Model, ModelList } from "../../protocol/wire/models.ts";
import type { ServerContext } from "../context.ts";
import { failures } from "./answers.ts";

export function modelsRoutes(server: FastifyInstance, { lifecycle }: ServerContext): void {
  const find = (id: string): Model => {
    const info = lifecycle.requireEngine().models.find((candidate) => candidate.id === id);
    if (info === undefined)
      throw new BonsaiError("model_not_found", "No such model is served; GET /v1/models lists those that are.", { param: "model" });
    return toModel(info);
  };
  const typed = server.withTypeProvider<TypeBoxTypeProvider>();
  typed.get(
    "/v1/models",
    {
      schema: {
        tags: ["models"],
        operationId: "listModels",
        summary: "Every model that is served",
        response: {
          200: { description: "The models.", content: { "application/json": { schema: ModelList } } },
          ...failures(401, 500, 503),
        },
      },
    },
    async (_request, reply) => reply.send(toModelList(lifecycle.requireEngine().models)),
  );
  typed.get(
    "/v1/models/:id",
    {
      schema: {
        tags: ["models"],
        operationId: "retrieveModel",
        summary: "One model",
        params: Type.Object({ id: Type.String({ description: "The model's id; slashes may be encoded or not." }) }),
        response: {
          200: { description: "The model.", content: { "application/json": { schema: Model } } },
          ...failures(400, 401, 404, 500, 503),
        },
      },
    },
    async (request, reply) => reply.send(find(request.params.id)),
  );
  typed.get("/v1/models/*", { schema: { hide: true, params: Type.Object({ "*": Type.String() }) } }, async (request, reply) =>
    reply.send(find(request.params["*"])),
  );
}
