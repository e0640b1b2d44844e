/** @file The options of the report on prefixes of answers, as a schema. */

import { Type, type Static } from "typebox";
import { annotations } from "../../config/option.ts";
import { defaultConfig } from "../../config/options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { samplingOptions } from "../sampling-options.ts";

const annotate = annotations<"Evaluation" | "Sampling" | "Output">();
const mostSamples = defaultConfig().maxSequences;

export const PrefixSchema = Type.Object({
  model: Type.String(
    annotate({
      group: "Evaluation",
      metavar: "NAME|DIR",
      description: "Policy that writes the answers",
      whenMissing: "Give --model. See --help.",
    }),
  ),
  rewardModel: Type.String(annotate({ group: "Evaluation", metavar: "NAME|DIR", description: "Reward model that is measured" })),
  valueModel: Type.Optional(
    Type.String(
      annotate({
        group: "Evaluation",
        metavar: "NAME|DIR",
        description: "Value model that scores the prefixes in its place (train:reward --form value)",
      }),
    ),
  ),
  prompts: Type.String(
    annotate({
      group: "Evaluation",
      metavar: "FILE",
      description: 'JSON Lines of {"prompt": [messages]}; gold is asked too where all are questions of the teddy world',
    }),
  ),
  limit: Type.Integer({
    minimum: 1,
    ...annotate({ group: "Evaluation", description: "Prompts that are taken from the file's beginning", default: 200 }),
  }),
  lengths: Type.String({
    pattern: "^[1-9]\\d{0,6}(,[1-9]\\d{0,6})*$",
    ...annotate({
      group: "Evaluation",
      values: "whole numbers that ascend, such as 8,16,32",
      metavar: "N,N,…",
      description: "Lengths of the prefixes that are measured, in tokens",
      default: "4,8,12,16,24,32,48,64,96,128",
    }),
  }),
  continuations: Type.Integer({
    minimum: 0,
    maximum: mostSamples,
    ...annotate({
      group: "Evaluation",
      description: "Also let the policy continue every prefix this many times, which tells what a perfect judge of prefixes would know",
      default: 0,
    }),
  }),
  samples: Type.Integer({
    minimum: 2,
    maximum: mostSamples,
    ...annotate({ group: "Sampling", description: "Answers to each prompt", default: 16 }),
  }),
  ...samplingOptions,
  write: Type.Boolean(
    annotate({
      group: "Output",
      description: "Keep the measurement in the reward model's reward.json, where the server finds it, and in its card",
      default: false,
    }),
  ),
});

/** The options, with `lengths` read. */
export type PrefixOptions = Omit<Static<typeof PrefixSchema>, "lengths"> & { lengths: number[] };

/** @throws BonsaiError `usage` for lengths that do not ascend. */
export function readLengths(options: Static<typeof PrefixSchema>): PrefixOptions {
  const lengths = options.lengths.split(",").map(Number);
  if (lengths.some((length, at) => at > 0 && length <= lengths[at - 1]!))
    throw new BonsaiError("usage", "--lengths must ascend, such as 8,16,32.", { param: "--lengths" });
  return { ...options, lengths };
}
