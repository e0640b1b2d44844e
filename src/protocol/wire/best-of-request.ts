/** @file The request fields `best_of` and `best_of_options`: how many candidates, and how the best are chosen. */

import { Type, type Static } from "typebox";
import { nullable, type RequestLimits, words } from "./schema.ts";

/** The values of `strategy`, `vote_on`, `reward_fallback` and `stream`; src/best-of-n/ defines what they do. */
export const strategies = ["max", "soft", "majority", "mbr", "knockout", "logprob"] as const;
const votedParts = ["text", "last_line", "last_number"] as const;
const rewardFallbacks = ["error", "logprob", "first"] as const;
const streamModes = ["progress", "candidates", "winner"] as const;

/** Most pruning stages of one request: each costs a run of the reward model over all remaining candidates. */
const mostStages = 8;
/** Longest deadline: an hour. */
const longestDeadlineMs = 3_600_000;
/** Beyond any reward; keeps sums finite. */
const largestReward = 1e9;
const modelName = { minLength: 1, maxLength: 1024 };

const PruneStages = Type.Array(
  Type.Object(
    {
      at: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: "Part of max_tokens that the answers have come to." }),
      keep: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: "Part of the candidates still running that goes on." }),
    },
    { additionalProperties: false },
  ),
  { minItems: 1, maxItems: mostStages },
);

export const BestOfOptionFields = Type.Object(
  {
    reward_model: nullable(
      Type.String({
        ...modelName,
        description:
          "Id of the reward model; absent: the one over this policy's own states, else the one that the policy's card names, else the server's default, else the only one.",
      }),
    ),
    strategy: nullable(
      words(strategies, {
        description:
          "max: the best reward. soft: drawn by exp(reward / soft_temperature). majority: the answer that most candidates give. mbr: the one most like the others. knockout: a tournament of pairs. logprob: the highest mean log-probability. Absent: max where there is a reward model; in /v1/completions without best_of_options, logprob.",
      }),
    ),
    judge_model: nullable(
      Type.String({
        ...modelName,
        description: "Id of a chat model that compares the pairs of a knockout; absent: the reward model does.",
      }),
    ),
    soft_temperature: nullable(
      Type.Number({ exclusiveMinimum: 0, maximum: 1000, default: 1, description: "Of soft, in units of the reward." }),
    ),
    vote_on: nullable(words(votedParts, { default: "text", description: "What of an answer has a vote in majority." })),
    prune: Type.Optional(
      Type.Union([words(["off", "auto"]), PruneStages, Type.Null()], {
        default: "off",
        description:
          "Drop candidates by the rewards of their prefixes. auto: as the reward model's own measurements allow, not at all where it has none. A list: the stages. Candidates wait at a stage for its scores, so that texts and counts are the same at any load.",
      }),
    ),
    deadline_ms: nullable(
      Type.Integer({
        minimum: 1,
        maximum: longestDeadlineMs,
        description:
          "Answer with the best so far after this time. Decoding ends a little before, so that what was cut can be scored. How far the candidates are then depends on the load.",
      }),
    ),
    target_reward: nullable(
      Type.Number({
        minimum: -largestReward,
        maximum: largestReward,
        description: "Stop as soon as n candidates that have ended reach this.",
      }),
    ),
    sample_cost: nullable(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: largestReward,
        description: "Stop as soon as one more candidate is not expected to add this much to the reward (Pandora's rule).",
      }),
    ),
    reward_fallback: nullable(
      words(rewardFallbacks, {
        default: "error",
        description: "When the reward model or judge fails: the error, the highest mean log-probability, or the first candidate.",
      }),
    ),
    stream: nullable(
      words(streamModes, {
        default: "progress",
        description: "With stream: true, what is told before the winner: how far the candidates are, all of them, or nothing.",
      }),
    ),
    return_candidates: nullable(Type.Boolean({ default: false, description: "Give the texts of all candidates in best_of.rewards." })),
  },
  { additionalProperties: false },
);
export type BestOfOptionFields = Static<typeof BestOfOptionFields>;

/** The fields, for the object schemas of both routes. */
export const bestOfFields = (limits: RequestLimits) => ({
  best_of: nullable(
    Type.Integer({
      minimum: 1,
      maximum: limits.maxN,
      description:
        "Candidates to sample, at least n, of which the n best come back, best first. Without best_of_options, n itself chooses nothing.",
    }),
  ),
  best_of_options: nullable({ ...BestOfOptionFields, description: "How the best candidates are chosen." } as typeof BestOfOptionFields),
});

/** The values of the fields, after validation. */
export interface BestOfFields {
  n?: number | null;
  stream?: boolean | null;
  best_of?: number | null;
  best_of_options?: BestOfOptionFields | null;
}
