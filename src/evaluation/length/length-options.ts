/** @file The options of the report on rewards and length, as a schema. */

import { Type, type Static } from "typebox";
import { annotations } from "../../config/option.ts";

const annotate = annotations<"Evaluation">();

export const LengthSchema = Type.Object({
  model: Type.String(
    annotate({
      group: "Evaluation",
      metavar: "NAME|DIR",
      description: "Reward model",
      whenMissing: "Name the reward model: --model NAME or DIR.",
    }),
  ),
  dataset: Type.String(
    annotate({
      group: "Evaluation",
      metavar: "FILE",
      description: "JSON Lines of preferences, or NAME=FILE: not those that the model is judged by afterwards",
      whenMissing: "Name the preferences: --dataset FILE.",
    }),
  ),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      ...annotate({ group: "Evaluation", description: "Rows that are taken from the file's beginning", defaultText: "all" }),
    }),
  ),
  share: Type.Number({
    minimum: 0,
    maximum: 1,
    ...annotate({
      group: "Evaluation",
      metavar: "S",
      description: "Part of the model's preference for length to take off its rewards",
      default: 0.5,
    }),
  }),
  seed: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    ...annotate({ group: "Evaluation", description: "Seed of raters and intervals", default: 0 }),
  }),
  write: Type.Boolean(
    annotate({
      group: "Evaluation",
      description:
        "Keep the penalty in the model's reward.json, with the scale of its rewards measured anew on the answers, and in its card",
      default: false,
    }),
  ),
});

export type LengthOptions = Static<typeof LengthSchema>;
