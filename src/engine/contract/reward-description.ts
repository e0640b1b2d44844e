/**
 * @file What is known of a reward model beside its weights: what its outputs mean, how they become one reward, and its
 * scale. Plain data.
 */

/**
 * decoder: a language model's folder or a PEFT adapter of task SEQ_CLS, with `score.weight` [D, H] in place of its
 * head; it reads a conversation and is scored at the last token. encoder: BertForSequenceClassification, which reads
 * prompt and answer. policy-head: `score.weight` and `score.bias` over the hidden states of the policy that writes the
 * answers. implicit: beta times the log-probability that a policy gives an answer above that of its reference; no
 * weights of its own. value: as a decoder, but it reads answers without the end of their turn and says at any token of
 * one what the whole is expected to be worth to another reward model.
 */
export const rewardForms = ["decoder", "encoder", "policy-head", "implicit", "value"] as const;
export type RewardForm = (typeof rewardForms)[number];

/** Where the rewards of a reference set lie: its mean becomes 0 and its deviation 1. */
export interface Scale {
  mean: number;
  /** Above 0. */
  deviation: number;
}

export interface Normalization {
  /** Scale of each dimension's raw output. */
  dimensions: readonly Scale[];
  /** Scale of the weighted sum of raw outputs. */
  holistic: Scale;
  /**
   * What was scored, as a sentence; where there is a length penalty, its own reference is that of the holistic scale.
   */
  reference: string;
}

/**
 * People like longer answers for their length, and so does a reward model that learnt from them. A part of that liking
 * is taken off afterwards (Huang et al. 2024, "Post-hoc reward calibration: a case study on length bias", section 3).
 */
export interface LengthPenalty {
  /** For every hundred characters of the answer, in units of the weighted sum of raw outputs. */
  perHundred: number;
  /** How that was found, as a sentence. */
  reference: string;
}

export interface RewardDescription {
  form: RewardForm;
  /** One for each output of the model, in order. A model with one output has the dimension "reward". */
  dimensions: readonly string[];
  /** Weights of the raw outputs in the holistic reward; as many as dimensions. */
  weights: readonly number[];
  normalization: Normalization;
  /** What the length of an answer takes off the weighted sum; undefined is nothing. */
  lengthPenalty?: LengthPenalty | undefined;
  /** Most tokens that the model reads. */
  maxLength: number;
  /** What the rewards of prefixes are worth, its own or a value model's, where that was measured. */
  prefixes?: PrefixMeasurement | undefined;
}

/** How well the reward of an answer's prefix predicts that of the whole, among answers of one policy to one prompt. */
export interface PrefixMeasurement {
  /** Whose answers they were, and how many, as a sentence. */
  reference: string;
  /** Id of the value model that judged the prefixes; undefined where the reward model did. */
  valueModel?: string | undefined;
  /** Mean length of whole answers. */
  meanTokens: number;
  /** By ascending length of the prefix. */
  correlations: readonly { tokens: number; correlation: number }[];
}

/**
 * mean: of the members' rewards. minimum: the least of them ("worst-case optimisation"). pessimistic: their mean less
 * `deviations` times their deviation (after "uncertainty-weighted optimisation", which takes the variance). Coste et
 * al. 2023, section 3.
 */
export type EnsembleRule = { kind: "mean" } | { kind: "minimum" } | { kind: "pessimistic"; deviations: number };

/** A reward model that is made of others. */
export interface EnsembleDescription {
  /** Ids of reward models, at least one. */
  members: readonly string[];
  rule: EnsembleRule;
}
