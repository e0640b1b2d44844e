/** @file The options of the report on reward models, as a schema. */

import { Type, type Static } from "typebox";
import { servedId } from "../../catalog/resolve-models.ts";
import { annotations, oneOf } from "../../config/option.ts";
import { quantizations } from "../../config/options.ts";
import type { NamedEnsemble } from "../../engine/contract/ensembles.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { parseEnsemble } from "../../reward/ensemble.ts";

const annotate = annotations<"Evaluation" | "Output">();
const names = Type.String({ minLength: 1 });

export const RewardEvaluationSchema = Type.Object({
  model: Type.Array(
    names,
    annotate({
      group: "Evaluation",
      metavar: "NAME|DIR",
      description: "Reward model; may be repeated, to compare",
      default: [],
      defaultText: "none",
    }),
  ),
  rewardEnsemble: Type.Array(
    names,
    annotate({
      group: "Evaluation",
      metavar: "E",
      description: "NAME=MODEL+MODEL[:RULE] of models that are evaluated; RULE is mean, minimum or mean-K; may be repeated",
      default: [],
      defaultText: "none",
    }),
  ),
  judge: Type.Array(
    names,
    annotate({
      group: "Evaluation",
      metavar: "JUDGE",
      description:
        "A judge that gives scores, beside the models or alone: gold, length=N, format=RE, lexicon=FILE, people=FILE; may be repeated",
      default: [],
      defaultText: "none",
    }),
  ),
  dataset: Type.Array(
    names,
    annotate({
      group: "Evaluation",
      metavar: "FILE",
      description:
        "JSON Lines of preferences, or NAME=FILE; may be repeated. Sets of the teddy world are compared with gold and raters, too",
      whenMissing: "Name the preferences: --dataset FILE.",
    }),
  ),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      ...annotate({ group: "Evaluation", description: "Rows that are taken from each file's beginning", defaultText: "all" }),
    }),
  ),
  quantization: oneOf(quantizations, annotate({ group: "Evaluation", description: "Quantization of the models", default: "fp32" })),
  seed: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    ...annotate({ group: "Evaluation", description: "Seed of noise, raters and intervals", default: 0 }),
  }),
  svg: Type.Optional(
    Type.String(
      annotate({ group: "Output", metavar: "FILE", description: "Where the chart goes", defaultText: "accuracy.svg beside the card" }),
    ),
  ),
  card: Type.Optional(
    Type.String(annotate({ group: "Output", metavar: "FILE", description: 'Model card whose section "Accuracy" is written anew' })),
  ),
  learningCurve: Type.Boolean(
    annotate({
      group: "Output",
      description:
        'The models were trained alike on more and more data: report the first set\'s accuracy by their numbers of comparisons, as the section "Learning curve" of the card and learning-curve.svg beside it',
      default: false,
    }),
  ),
});

export type RewardEvaluationOptions = Static<typeof RewardEvaluationSchema>;

/**
 * The ensembles that the options name. @throws BonsaiError `usage` where options contradict each other, naming the
 * flag.
 */
export function checkRewardOptions(options: RewardEvaluationOptions): NamedEnsemble[] {
  const { model: models, judge: judges, learningCurve } = options;
  if (models.length + judges.length === 0)
    throw new BonsaiError("usage", "Name what to evaluate: --model NAME or DIR.", { param: "--model" });
  if (learningCurve && (models.length === 0 || judges.length > 0 || options.rewardEnsemble.length > 0))
    throw new BonsaiError("usage", "--learning-curve is of models alone: name each by --model.", { param: "--learning-curve" });
  const ensembles = options.rewardEnsemble.map(parseEnsemble);
  const scorers = [...models.map(servedId), ...ensembles.map(({ id }) => id), ...judges, "length"];
  const repeated = scorers.find((name, at) => scorers.indexOf(name) !== at);
  if (repeated !== undefined)
    throw new BonsaiError(
      "usage",
      `Two scorers are called ${repeated}${repeated === "length" ? ", which stands beside all others anyway" : ""}.`,
      { param: "--model" },
    );
  return ensembles;
}
