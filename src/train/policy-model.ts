/** @file Tuning a policy on preferences from options to a folder: data, model, its reference, loop, and what the run leaves. */

import { availableParallelism } from "node:os";
import { join } from "node:path";

import { readDecoderConfig } from "../architectures/decoder-config.ts";
import type { DpoTrainingOptions } from "../config/dpo-training-options.ts";
import type { ModelFile } from "../formats/model-file.ts";
import { openModel } from "../formats/open-model.ts";
import { beginFromAdapter, chooseAdapter } from "./adapter-choice.ts";
import { readMetricLines } from "./metrics-file.ts";
import { chooseOptimizer } from "./optimizer-choice.ts";
import { policyBatches } from "./policy-batch.ts";
import { readPolicyData, type PolicyTrainingData } from "./policy-data.ts";
import { addPolicySums, isReferenceFree, namedPolicyMetrics, type PolicySums } from "./policy-metrics.ts";
import { readObjective } from "./policy-objective.ts";
import type { PolicyObjective } from "./policy-programs.ts";
import { findReferences } from "./policy-reference.ts";
import { writePolicyReport, type PolicyReport } from "./policy-report.ts";
import { createTrainablePolicy, type PolicyStep, type TrainablePolicy } from "./policy-trainable.ts";
import { inOutputFolder } from "./run-folder.ts";
import { identityOf, requireSameSoFar } from "./run-identity.ts";
import { writeTrainedAdapter, writeTrainedModel } from "./trained-output.ts";
import { metricsFileName, runSteps, type MetricNaming, type RunOutcome, type TrainingEvent } from "./training-run.ts";

export interface PolicyTraining extends Pick<PolicyReport, "command" | "flags" | "versions"> {
  /** A GGUF file or a Hugging Face folder. */
  modelPath: string;
  options: DpoTrainingOptions;
  /** Ends the run after the step that is being done, with a checkpoint. */
  stop: AbortSignal;
  observe: (event: TrainingEvent) => void;
  /** Takes lines for the person who waits. */
  log: (line: string) => void;
}

/** Flags of this trainer that decide a run's course. */
// prettier-ignore
const ownFlags = [
  "--loss-type", "--loss-weights", "--beta", "--label-smoothing", "--discopop-tau", "--gamma-beta-ratio", "--desirable-weight", "--undesirable-weight",
];

/**
 * Tunes a model on preferences, and writes it to the output folder once its last step is done.
 * @throws BonsaiError as `openModel`, `readPolicyPairs`, `createTrainablePolicy` and `runSteps`; `usage` for options that the model does not allow.
 */
export async function trainPolicy(training: PolicyTraining): Promise<RunOutcome> {
  const { options, modelPath } = training;
  const objective = readObjective(options);
  return inOutputFolder(options, modelPath, async (workFolder) => {
    const model = openModel(modelPath);
    try {
      return await trainIn(workFolder, training, model, objective);
    } finally {
      model.weights.close();
    }
  });
}

async function trainIn(workFolder: string, training: PolicyTraining, model: ModelFile, objective: PolicyObjective): Promise<RunOutcome> {
  const { options, log } = training;
  const config = readDecoderConfig(model.config, model.path);
  const adapter = chooseAdapter(options, config, model);
  log(`The model ${training.modelPath}: ${adapter === undefined ? "all weights" : "a LoRA adapter"} will be trained.`);
  const run = { flags: training.flags, options, model, adapter, ownFlags };
  if (options.resume) requireSameSoFar(options.outputDir, { ...run, totalSteps: options.maxSteps || undefined }, options);
  const data = readPolicyData(options, model, config, objective, log);
  const policy = await createTrainablePolicy({
    temporaryFolder: workFolder,
    config,
    weights: model.weights,
    path: model.path,
    rows: options.batchSize,
    length: data.length,
    pairs: data.mostPairs,
    objective,
    mode: adapter === undefined ? { kind: "full" } : { kind: "lora", lora: adapter.lora },
    optimizer: chooseOptimizer(options),
    maxGradNorm: options.maxGradNorm === 0 ? undefined : options.maxGradNorm,
    threads: options.threads === 0 ? availableParallelism() : options.threads,
    recompute: options.gradientCheckpointing,
    baseBits: options.loadIn8bit ? 8 : 32,
    seed: options.seed,
  });
  try {
    const totalSteps = options.maxSteps > 0 ? options.maxSteps : Math.ceil(options.numTrainEpochs * data.training.stepsPerEpoch);
    const identity = identityOf({ ...run, ...data.summary, totalSteps });
    // Before anything is restored, the policy is its own reference.
    if (!isReferenceFree(objective)) {
      const isWhole = await findReferences(policy, data, { ...training, identity });
      if (!isWhole) return { step: 0, isFinished: false, trainSeconds: 0 };
    }
    if (adapter?.begin !== undefined) beginFromAdapter(policy, adapter.begin);
    const outcome = await runSteps(
      {
        model: policy,
        data: data.training,
        evaluation: data.heldOut && policyBatches(data.heldOut, data.length, options.batchSize),
        schedule: { type: options.lrSchedulerType, learningRate: options.learningRate, warmupSteps: options.warmupSteps, totalSteps },
        outputDir: options.outputDir,
        saveSteps: options.saveSteps,
        saveTotalLimit: options.saveTotalLimit,
        evalSteps: options.evalSteps,
        resume: options.resume,
        identity,
        stop: training.stop,
        observe: training.observe,
      },
      metricNaming(objective.kind),
    );
    if (!outcome.isFinished) return outcome;
    if (adapter === undefined) writeTrainedModel(options.outputDir, model, policy.trainedWeights(), options.saveDtype);
    else writeTrainedAdapter(options.outputDir, model, policy.trainedWeights(), adapter.settings, options.saveDtype);
    await report(training, model, policy, data, outcome);
    return outcome;
  } finally {
    await policy.dispose();
  }
}

function metricNaming(kind: PolicyObjective["kind"]): MetricNaming<PolicyStep, PolicySums> {
  return {
    ofStep: ({ sums, entropy, meanTokenAccuracy }) => ({
      ...namedPolicyMetrics(sums, kind),
      entropy,
      mean_token_accuracy: meanTokenAccuracy,
    }),
    ofEvaluation: (all) => {
      const sums = addPolicySums(all as [PolicySums, ...PolicySums[]]);
      const named = Object.entries(namedPolicyMetrics(sums, kind)).map(([name, value]) => [`eval_${name}`, value]);
      return { eval_loss: sums.loss / sums.pairs, ...(Object.fromEntries(named) as Record<string, number>) };
    },
  };
}

async function report(
  { options, command, flags, versions }: PolicyTraining,
  model: ModelFile,
  policy: TrainablePolicy,
  data: PolicyTrainingData,
  outcome: RunOutcome,
): Promise<void> {
  await writePolicyReport(options.outputDir, {
    stage: "dpo",
    command,
    flags,
    versions,
    base: { name: options.model, contentHash: model.contentHash, isFromNothing: false },
    trains: [...policy.trainedWeights().keys()].some((name) => name.includes(".lora_A.")) ? "a LoRA adapter" : "all weights",
    objective: { losses: options.lossType, beta: options.beta },
    data: data.summary,
    steps: outcome.step,
    epochs: outcome.step / data.training.stepsPerEpoch,
    trainSeconds: outcome.trainSeconds,
    metrics: readMetricLines(join(options.outputDir, metricsFileName)),
  });
}
