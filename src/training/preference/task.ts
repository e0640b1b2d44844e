/** @file Tuning a policy on preferences: DPO and its relatives, ORPO, SimPO and KTO. */

import { basename, join } from "node:path";

import { readDecoderConfig, type DecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import type { DpoTrainingOptions } from "../../config/dpo-training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { RowEncoder } from "../data/documents.ts";
import { chooseAdapter, type ChosenAdapter } from "../model/adapter-choice.ts";
import { weightsTraining } from "../model/open-graphs.ts";
import { writeTrained } from "../model/trained-output.ts";
import type { Arrays } from "../model/training-session.ts";
import { heldOutNames, metricsFileName, readMetricLines, type Metrics } from "../run/metrics-file.ts";
import { runTraining } from "../run/run-training.ts";
import type { MetricNaming, RunOutcome, TrainingEvent } from "../run/training-loop.ts";
import type { OpenedModel, OpenOptions, TrainingRequest, TrainingTask } from "../run/training-task.ts";
import type { RolloutSource } from "../rollouts/rollout-source.ts";
import { policyCard } from "./card.ts";
import { layOutPolicyData, readPairs, type PolicyData } from "./data.ts";
import { firstPrompts, measureDivergence, openPromptRollouts } from "./divergence.ts";
import { displacementWarning, isPastBest } from "./early-stopping.ts";
import { writeImplicitReward } from "./implicit-reward.ts";
import { readInitialWeights, type InitialWeights } from "./initial-weights.ts";
import { addPolicySums, isReferenceFree, namedPolicyMetrics, type PolicySums } from "./metrics.ts";
import { createTrainablePolicy, type PolicyStep, type TrainablePolicy } from "./model.ts";
import { readObjective } from "./objective.ts";
import type { PolicyBatch } from "./pair-rows.ts";
import type { DocumentPairs } from "./pairs.ts";
import type { PolicyObjective } from "./programs.ts";
import { fillAllReferences } from "./reference.ts";

export interface PolicyTraining extends TrainingRequest<DpoTrainingOptions> {
  /**
   * Folder of a model of the same shape, whose weights the policy begins with where all weights are trained. The model
   * at `modelPath` stays the reference.
   */
  initialWeights?: string | undefined;
}

type PolicyTask = TrainingTask<DocumentPairs, PolicyBatch, PolicyStep, PolicySums, TrainablePolicy, PolicyData>;

// prettier-ignore
const courseFlags = [
  "--loss-type", "--loss-weights", "--beta", "--label-smoothing", "--discopop-tau", "--gamma-beta-ratio", "--desirable-weight", "--undesirable-weight",
  "--eval-prompts", "--eval-max-tokens", "--early-stopping-patience",
];

/** Tunes a model on preferences. @throws BonsaiError as `runTraining`. */
export async function trainPolicy(training: PolicyTraining): Promise<RunOutcome> {
  return runTraining(training, (base) => policyTask(training, base));
}

function policyTask(training: PolicyTraining, base: ModelFile): PolicyTask {
  const { options, modelPath, log } = training;
  const objective = readObjective(options);
  if (options.implicitRewardDir !== "" && isReferenceFree(objective)) {
    const message = `--implicit-reward-dir is of policies with a reference, and --loss-type ${options.lossType.join(", ")} looks at none.`;
    throw new BonsaiError("usage", message, { param: "--implicit-reward-dir" });
  }
  const config = readDecoderConfig(base.config, base.path);
  const adapter = chooseAdapter(options, config, base);
  const trains = adapter === undefined ? "all weights" : "a LoRA adapter";
  const initial = training.initialWeights === undefined ? undefined : readInitialWeights(training.initialWeights, base);
  return {
    announcement: `The model ${modelPath}: ${trains} will be trained.`,
    contextLength: config.contextLength,
    adapter,
    initialWeightsHash: initial?.hash,
    courseFlags,
    read: (paths, maxLength) => readPairs(paths, new RowEncoder(base), objective.kind, maxLength, log),
    layOut: (read, heldOut, maxLength) => layOutPolicyData(options, read, heldOut, objective.kind, maxLength, log),
    open: async (data, opening) => openPolicy(training, base, { config, adapter, objective, initial }, data, opening),
    metrics: policyMetrics(objective.kind),
    isEnough: (evaluations) => isPastBest(evaluations, options.earlyStoppingPatience),
    observe: warnOfDisplacement(training),
    publish: async (policy, data, record) => {
      writeTrained(options, base, policy.trainedWeights(), adapter);
      if (options.implicitRewardDir !== "") await writeImplicitReward(options, base, policy, data, adapter !== undefined);
      const loss = { losses: options.lossType, beta: options.beta };
      const report = { stage: "dpo", ...record, trains, objective: loss, data: data.summary } as const;
      return { report, lossTitle: "loss (nats a pair)", card: policyCard(basename(options.outputDir), report) };
    },
  };
}

interface PolicyStart {
  config: DecoderConfig;
  adapter: ChosenAdapter | undefined;
  objective: PolicyObjective;
  initial: InitialWeights | undefined;
}

/**
 * Opens the policy, and computes the reference's log-probabilities with it while it is untrained; undefined where
 * `stop` came first.
 */
async function openPolicy(
  { options, log }: PolicyTraining,
  base: ModelFile,
  { config, adapter, objective, initial }: PolicyStart,
  data: PolicyData,
  opening: OpenOptions,
): Promise<OpenedModel<TrainablePolicy> | undefined> {
  const { optimizer, maxGradNorm, threads, temporaryFolder } = opening;
  const shared = { config, ...weightsTraining(options, base, adapter), threads };
  const sizes = { rows: options.batchSize, length: data.length, pairs: data.mostPairs };
  const policy = await createTrainablePolicy({ ...shared, ...sizes, temporaryFolder, objective, optimizer, maxGradNorm });
  let rollouts: RolloutSource | undefined;
  const dispose = async (): Promise<void> => {
    await rollouts?.dispose();
    await policy.dispose();
  };
  try {
    // Before anything is restored, the policy is its own reference.
    if (!isReferenceFree(objective) && !(await fillAllReferences(policy, data, { ...options, ...opening, log }))) {
      await dispose();
      return undefined;
    }
    const reference = copyOf(policy.weights());
    const prompts = firstPrompts(data.heldOutPairs?.pairs ?? [], options.evalPrompts);
    const model = { ...shared, folder: temporaryFolder, endIds: new Set(base.eosTokenIds) };
    if (prompts.length > 0) rollouts = await openPromptRollouts(model, prompts, options);
    initial?.applyTo(policy);
    const measure = async (step: number): Promise<Metrics> => {
      if (rollouts === undefined) return {};
      const { distance, length } = await measureDivergence(rollouts, prompts, policy.weights(), reference, { seed: options.seed, step });
      return { eval_kl_to_reference: distance, eval_answer_length: length };
    };
    return { model: policy, measure, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function copyOf(weights: Arrays): Arrays {
  return Object.fromEntries(Object.entries(weights).map(([name, values]) => [name, values.slice()]));
}

/** An observer that warns once where good answers become less likely. */
function warnOfDisplacement({ log, options }: PolicyTraining): (event: TrainingEvent) => void {
  let first: Parameters<typeof displacementWarning>[0] | undefined;
  let hasWarned = false;
  return (event) => {
    if (event.kind !== "evaluation" || hasWarned) return;
    // The file also has the evaluations of earlier processes: a resumed run is compared with where it began.
    first ??= readMetricLines(join(options.outputDir, metricsFileName)).evaluations[0] ?? event.metrics;
    const warning = displacementWarning(first, event.metrics);
    if (warning !== undefined) log(warning);
    hasWarned = warning !== undefined;
  };
}

function policyMetrics(kind: PolicyObjective["kind"]): MetricNaming<PolicyStep, PolicySums> {
  return {
    ofStep: ({ sums, entropy, meanTokenAccuracy }) => ({
      ...namedPolicyMetrics(sums, kind),
      entropy,
      mean_token_accuracy: meanTokenAccuracy,
    }),
    ofEvaluation: (all) => {
      const sums = addPolicySums(all as [PolicySums, ...PolicySums[]]);
      return { eval_loss: sums.loss / sums.pairs, ...heldOutNames(namedPolicyMetrics(sums, kind)) };
    },
  };
}
