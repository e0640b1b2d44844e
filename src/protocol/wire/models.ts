/** @file The answers of GET /v1/models and /v1/models/{id}. */

import { Type, type Static } from "typebox";

export const Model = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("model"),
    created: Type.Integer({ description: "Seconds since the epoch, of the model's file." }),
    owned_by: Type.String(),
    kind: Type.Union([Type.Literal("policy"), Type.Literal("reward")], {
      description: "A policy writes answers, a reward model scores them.",
    }),
    base: Type.Union([Type.String(), Type.Null()], { description: "The model that this one was tuned from." }),
    card: Type.Object({
      context_length: Type.Integer({ description: "Most tokens of prompt and answer together." }),
      vocab_size: Type.Integer(),
      quantization: Type.String(),
      device: Type.String(),
      has_chat_template: Type.Boolean({ description: "Without one, only /v1/completions can use the model." }),
      fingerprint: Type.String(),
      capabilities: Type.Object(
        {
          exact_seeds: Type.Boolean({ description: "The same request with the same seed gives the same bytes." }),
          exact_counts: Type.Boolean({ description: "Token counts are exact while an answer streams, not only at its end." }),
          token_ids: Type.Boolean({ description: "The ids of the tokens are known, and prompts may be given as ids." }),
          drop: Type.Boolean({ description: "Candidates can be dropped before their end, which prune and early stopping need." }),
        },
        { description: "What the backend that runs the model promises." },
      ),
      reward_model: Type.Optional(
        Type.String({ description: "Of a policy whose folder names one: the reward model of its Best-of-N, where that is served." }),
      ),
      reward: Type.Optional(
        Type.Object(
          {
            form: Type.String({
              description:
                "What computes the rewards: decoder, encoder, policy-head, implicit, or value of a model that predicts the reward of a whole answer from each prefix of it.",
            }),
            dimensions: Type.Array(Type.String()),
            weights: Type.Array(Type.Number(), { description: "Of the dimensions' raw rewards in the whole." }),
            length_penalty: Type.Optional(
              Type.Number({ description: "What every hundred characters of an answer take off the weighted sum of raw rewards." }),
            ),
            reference: Type.String({ description: "On what the rewards have mean 0 and deviation 1." }),
          },
          { description: "Of a reward model that is no ensemble." },
        ),
      ),
      ensemble: Type.Optional(
        Type.Object(
          {
            members: Type.Array(Type.String()),
            rule: Type.String({ description: "How their rewards become one: mean, minimum, or pessimistic." }),
            deviations: Type.Optional(
              Type.Number({ description: "By how many of the members' deviations the pessimistic rule lowers their mean." }),
            ),
          },
          { description: "Of a reward model that is made of others." },
        ),
      ),
    }),
  },
  { title: "Model" },
);
export type Model = Static<typeof Model>;

export const ModelList = Type.Object({ object: Type.Literal("list"), data: Type.Array(Model) }, { title: "ModelList" });
export type ModelList = Static<typeof ModelList>;
