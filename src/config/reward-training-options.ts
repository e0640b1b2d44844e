/** @file The options of `npm run train:reward`: those of every trainer, and what makes a reward model. */

import { Type, type Static } from "typebox";
import { annotations, oneOf } from "./option.ts";
import { preferenceTrainingProperties } from "./preference-training-options.ts";

const annotate = annotations<"Reward model">();

const rewardModel = {
  form: oneOf(
    ["auto", "decoder", "encoder", "policy-head", "value"] as const,
    annotate({
      group: "Reward model",
      description:
        "decoder: a language model with a score in place of its head; encoder: BERT with a classifier; policy-head: a score over the hidden states of a policy that is not changed; value: a decoder that learns from scored answers to predict the score from every prefix",
      default: "auto",
      defaultText: "by the model's architecture, decoder or encoder",
    }),
  ),
  lossType: oneOf(
    ["bradley-terry", "plackett-luce"] as const,
    annotate({
      group: "Reward model",
      description: "Loss of a list of ranked answers: the mean over its pairs, or the ranking as a whole. For pairs the two are the same",
      default: "bradley-terry",
    }),
  ),
  centerRewardsCoefficient: Type.Number({
    minimum: 0,
    maximum: 1000,
    ...annotate({
      group: "Reward model",
      description: "Weight of the squared sum of a pair's rewards in the loss, which pulls rewards towards 0; 0.01 is usual",
      default: 0,
    }),
  }),
  dimensions: Type.Array(
    Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_-]{0,63}$" }),
    annotate({
      group: "Reward model",
      metavar: "NAME",
      description: 'Output of the model, by its name in the rows\' "preferences". May be repeated',
      default: ["reward"],
      defaultText: "one output, reward",
    }),
  ),
  dimensionWeights: Type.Array(
    Type.String({ minLength: 1 }),
    annotate({
      group: "Reward model",
      metavar: "NUMBER",
      description: "Weight of a dimension in the holistic reward, in the order of --dimensions. May be repeated",
      default: [],
      defaultText: "equal ones that add up to 1",
    }),
  ),
  reference: Type.Array(
    Type.String({ minLength: 1 }),
    annotate({
      group: "Reward model",
      metavar: "FILE",
      description:
        "Answers of the policy on which rewards are scaled to mean 0 and standard deviation 1: rows of messages, of prompts with completions, or of preferences. May be repeated",
      default: [],
      defaultText: "the answers of --eval-dataset, or of --dataset",
    }),
  ),
};

const { model, ...shared } = preferenceTrainingProperties({
  modelDescription: "Model to begin with: a name of the catalog, a GGUF file or a Hugging Face folder",
  datasetDescription:
    'JSON Lines of {"prompt", "chosen", "rejected"} or {"prompt", "completions", "ranks"}; of --form value {"prompt", "completion", "score"}. May be repeated',
  epochs: 1,
  learningRate: 1e-4,
  maxLengthDescription:
    "Longest prompt and answer together; a longer one loses its beginning (for an encoder, the end of the longer text), and is counted",
});

/** `npm run train:reward`; defaults are TRL's RewardConfig's. The order is that of the groups in --help. */
export const RewardSchema = Type.Object({ model, ...rewardModel, ...shared }, { additionalProperties: false });

export type RewardTrainingOptions = Static<typeof RewardSchema>;
