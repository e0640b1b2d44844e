/** @file The options of `npm run train:dpo`: those of every trainer, and what tunes a policy on preferences. */

import { Type, type Static } from "typebox";
import { annotations } from "./option.ts";
import { preferenceTrainingProperties } from "./preference-training-options.ts";

const annotate = annotations<"Rounds" | "Preferences" | "Guards">();

const rounds = {
  rounds: Type.Integer({
    minimum: 0,
    maximum: 1000,
    ...annotate({
      group: "Rounds",
      description:
        "Rounds of on-policy tuning: the current policy answers prompts, a judge compares the answers, and the policy is tuned on them, and on --dataset if given. The reference stays --model. 0 tunes on --dataset alone",
      default: 0,
    }),
  }),
  prompts: Type.String(
    annotate({
      group: "Rounds",
      metavar: "FILE",
      description: 'JSON Lines of {"prompt"}; each round takes the next ones, and no prompt is used twice',
      default: "",
      defaultText: "none",
    }),
  ),
  promptsPerRound: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    ...annotate({
      group: "Rounds",
      description: "Prompts of a round; 0 divides the file among the rounds, and then --rounds cannot be raised later",
      default: 0,
    }),
  }),
  judge: Type.String(
    annotate({
      group: "Rounds",
      metavar: "JUDGE",
      description: "Judge that compares the answers, as in npm run collect, such as raters=5 or reward=NAME",
      default: "",
      defaultText: "none",
    }),
  ),
  samples: Type.Integer({
    minimum: 2,
    maximum: 16,
    ...annotate({ group: "Rounds", description: "Answers to each prompt", default: 4 }),
  }),
  temperature: Type.Number({
    exclusiveMinimum: 0,
    maximum: 100,
    ...annotate({ group: "Rounds", description: "Sampling temperature of these answers", default: 1 }),
  }),
  maxTokens: Type.Integer({
    minimum: 1,
    maximum: 65536,
    ...annotate({ group: "Rounds", unit: "tokens", description: "Longest such answer", default: 160 }),
  }),
  strongest: Type.Integer({
    minimum: 0,
    maximum: 120,
    ...annotate({
      group: "Rounds",
      description:
        "Pairs to use of each prompt: those with the largest difference between the two answers, by mean margins over all answers; 0 takes all",
      default: 1,
    }),
  }),
  lengthPenalty: Type.Number({
    minimum: 0,
    maximum: 1_000_000,
    ...annotate({
      group: "Rounds",
      description: "Subtracted from an answer's mean margin for each of its words, in the judge's units, against a preference for length",
      default: 0,
    }),
  }),
  leastMargin: Type.Number({
    minimum: 0,
    maximum: 1_000_000,
    ...annotate({
      group: "Rounds",
      description: "Leave out pairs with a smaller margin, in the judge's units (raters: at most 1)",
      default: 0,
    }),
  }),
  mostLengthDifference: Type.Integer({
    minimum: 0,
    maximum: 1_000_000,
    ...annotate({
      group: "Rounds",
      description: "Leave out pairs whose answers differ by more words; 0 leaves out none",
      default: 0,
    }),
  }),
  agreeing: Type.Boolean(
    annotate({
      group: "Rounds",
      description: "Leave out pairs in which the judge prefers the rejected answer in some dimension",
      default: false,
    }),
  ),
};

const preferences = {
  lossType: Type.Array(
    Type.String({ minLength: 1 }),
    annotate({
      group: "Preferences",
      metavar: "NAME",
      description:
        "Loss, or part of a mix: sigmoid, hinge, ipo, robust, conservative, sigmoid_norm, nca_pair, bco_pair, sppo_hard, apo_zero, apo_down, exo_pair, discopop, sft, orpo, simpo; or kto. May be repeated",
      default: ["sigmoid"],
      defaultText: "sigmoid, which is DPO's",
    }),
  ),
  lossWeights: Type.Array(
    Type.String({ minLength: 1 }),
    annotate({
      group: "Preferences",
      metavar: "NUMBER",
      description: "Weight of a loss in the mix, in the order of --loss-type. May be repeated",
      default: [],
      defaultText: "1 each",
    }),
  ),
  beta: Type.Number({
    exclusiveMinimum: 0,
    maximum: 1000,
    ...annotate({
      group: "Preferences",
      description:
        "How strongly the policy is held to its reference: a lower value lets it go further. For ipo this is tau, for orpo lambda; simpo needs about 2",
      default: 0.1,
    }),
  }),
  labelSmoothing: Type.Number({
    minimum: 0,
    maximum: 0.49,
    ...annotate({
      group: "Preferences",
      description:
        "For robust, conservative and exo_pair: the share of labels that are assumed to be wrong; exo_pair needs a value above 0, such as 0.001",
      default: 0,
    }),
  }),
  discopopTau: Type.Number({
    exclusiveMinimum: 0,
    maximum: 1000,
    ...annotate({ group: "Preferences", description: "For discopop: temperature of its mixture", default: 0.05 }),
  }),
  gammaBetaRatio: Type.Number({
    minimum: 0,
    maximum: 1000,
    ...annotate({
      group: "Preferences",
      description: "For simpo: the margin between mean log-probabilities, gamma divided by beta",
      default: 0.5,
    }),
  }),
  desirableWeight: Type.Number({
    minimum: 0,
    maximum: 1000,
    ...annotate({ group: "Preferences", description: "For kto: weight of desirable answers", default: 1 }),
  }),
  undesirableWeight: Type.Number({
    minimum: 0,
    maximum: 1000,
    ...annotate({ group: "Preferences", description: "For kto: weight of undesirable answers", default: 1 }),
  }),
};

const implicitReward = {
  implicitRewardDir: Type.String(
    annotate({
      group: "Preferences",
      metavar: "DIR",
      description:
        "Folder for the implicit reward model of the tuned policy: beta times the log-probability of an answer minus the reference's. The server serves it like any other",
      default: "",
      defaultText: "none",
    }),
  ),
};

const guards = {
  evalPrompts: Type.Integer({
    minimum: 0,
    maximum: 4096,
    ...annotate({
      group: "Guards",
      description:
        "Prompts of --eval-dataset that the policy answers at each evaluation, to measure its divergence from the reference and the length of its answers; 0 for none",
      default: 8,
    }),
  }),
  evalMaxTokens: Type.Integer({
    minimum: 1,
    maximum: 65536,
    ...annotate({ group: "Guards", unit: "tokens", description: "Longest such answer", default: 64 }),
  }),
  earlyStoppingPatience: Type.Integer({
    minimum: 0,
    maximum: 1_000_000,
    ...annotate({
      group: "Guards",
      description: "End the run after this many evaluations without a lower held-out loss; 0 never does",
      default: 0,
    }),
  }),
};

const { model, ...shared } = preferenceTrainingProperties({
  modelDescription: "Model to tune: a name of the catalog, a GGUF file or a Hugging Face folder. It is also the reference",
  datasetDescription: 'JSON Lines of {"prompt", "chosen", "rejected"}; kto takes {"prompt", "completion", "label"} too. May be repeated',
  epochs: 3,
  learningRate: 1e-6,
  maxLengthDescription: "Longest prompt and answer together; pairs with a longer one are left out, and counted",
});

/** `npm run train:dpo`; defaults are TRL's DPOConfig's. The order is that of the groups in --help. */
export const DpoSchema = Type.Object(
  { model, ...rounds, ...preferences, ...implicitReward, ...guards, ...shared },
  { additionalProperties: false },
);

export type DpoTrainingOptions = Static<typeof DpoSchema>;
