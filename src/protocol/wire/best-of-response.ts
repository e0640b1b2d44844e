/** @file The `best_of` of an answer, and of chunks: what was sampled, how it was chosen and what it cost. */

import { Type, type Static } from "typebox";
import { strategies } from "./best-of-request.ts";
import { words } from "./schema.ts";

const ends = ["stop", "length", "pruned", "early_stop", "deadline", "failed"] as const;

const reward = Type.Union([Type.Number(), Type.Null()], {
  description:
    "What the strategy ordered by: the reward, or its share of votes, similarity, rounds or mean log-probability. Null for none.",
});

/** The field `reward` of a choice that was chosen. */
export const ChoiceReward = Type.Optional(reward);

const CandidateReward = Type.Object({
  index: Type.Integer(),
  seed: Type.Integer({ description: "A request for one answer with this seed gives the same answer." }),
  reward,
  tokens: Type.Integer({ description: "Tokens generated." }),
  finish_reason: words(ends, {
    description: "stop and length as in choices; pruned and early_stop: dropped; deadline: cut; failed: its numbers were no numbers.",
  }),
  text: Type.Optional(Type.String({ description: "With return_candidates. The same at any load, except at a deadline." })),
});

export const BestOf = Type.Object(
  {
    reward_model: Type.Union([Type.String(), Type.Null()]),
    strategy: words(strategies),
    fallback: Type.Union([Type.Literal("logprob"), Type.Literal("first"), Type.Null()], {
      description: "What took the place of a reward model or judge that failed.",
    }),
    sampled: Type.Integer({ description: "Candidates." }),
    finished: Type.Integer({ description: "Candidates that came to their own end and were not dropped." }),
    pruned: Type.Integer(),
    deadline_hit: Type.Boolean(),
    tokens_generated: Type.Integer({ description: "Of all candidates. The same at any load, except at a deadline." }),
    tokens_returned: Type.Integer({ description: "Of the answers that came back." }),
    tokens_saved: Type.Integer({
      description: "What dropped candidates would have come to, estimated by the mean length of longer ones that finished.",
    }),
    kl_bound_nats: Type.Number({ description: "Most that the choice moves the policy's distribution: log N - (N - 1) / N." }),
    rewards: Type.Array(CandidateReward, { description: "All candidates, best first." }),
    timings_ms: Type.Object({
      queue: Type.Number(),
      prefill: Type.Number(),
      decode: Type.Number(),
      reward: Type.Number({ description: "While scores were being waited for; decoding goes on meanwhile." }),
    }),
  },
  { title: "BestOf" },
);
export type BestOf = Static<typeof BestOf>;

export const BestOfProgress = Type.Object({
  phase: Type.Literal("sampling"),
  candidates: Type.Array(
    Type.Object({
      index: Type.Integer(),
      tokens: Type.Integer(),
      state: words(["running", ...ends]),
      reward: Type.Optional(Type.Number()),
    }),
  ),
});
export type BestOfProgress = Static<typeof BestOfProgress>;

/** The `best_of` of the last chunk that has one. */
export const BestOfDone = Type.Object({ phase: Type.Literal("done"), ...BestOf.properties });
export type BestOfDone = Static<typeof BestOfDone>;
