/** @file Tuning a policy on preferences from options to a folder: data, model, its reference, loop, and what the run leaves. */

import { join } from "node:path";

import { readDecoderConfig } from "../../architectures/decoder/decoder-config.ts";
import type { DpoTrainingOptions } from "../../config/dpo-training-options.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { ModelFile } from "../../formats/model-file.ts";
import { openModel } from "../../formats/open-model.ts";
import { beginFromAdapter, chooseAdapter } from "../model/adapter-choice.ts";
import { weightsTraining } from "../model/model-graphs.ts";
import { writeImplicitReward } from "./implicit-reward.ts";
import { readMetricLines } from "../run/metrics-file.ts";
import { readBeginning } from "./initial-weights.ts";
import { displacementWarning, isPastBest } from "./early-stopping.ts";
import { policyBatches } from "./policy-batch.ts";
import { readPolicyData, type PolicyTrainingData } from "./policy-data.ts";
import type { DocumentPair } from "./policy-pairs.ts";
import { addPolicySums, isReferenceFree, namedPolicyMetrics, type PolicySums } from "./policy-metrics.ts";
import { readObjective } from "./policy-objective.ts";
import type { PolicyObjective } from "./policy-programs.ts";
import { findReferences } from "./policy-reference.ts";
import { writePolicyReport, type PolicyReport } from "./policy-report.ts";
import { PolicySampler, type SamplerOptions } from "./policy-sampler.ts";
import { createTrainablePolicy, type PolicyStep, type TrainablePolicy, type TrainablePolicyOptions } from "./policy-trainable.ts";
import { inOutputFolder } from "../run/run-folder.ts";
import { identityOf, requireSameSoFar } from "../run/run-identity.ts";
import { courseOf, steppingOf, totalStepsOf } from "../run/run-options.ts";
import { writeTrainedAdapter, writeTrainedModel } from "../model/trained-output.ts";
import type { Arrays } from "../model/training-session.ts";
import { recordOf } from "../report/training-report.ts";
import { metricsFileName, runSteps, type MetricNaming, type RunOutcome, type TrainingEvent } from "../run/training-run.ts";

export interface PolicyTraining extends Pick<PolicyReport, "command" | "flags" | "versions"> {
  /** A GGUF file or a Hugging Face folder. */
  modelPath: string;
  options: DpoTrainingOptions;
  /** Where all weights are trained: folder of a model like it, whose weights the policy begins with. The model as it is stays the reference. */
  beginning?: string | undefined;
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
  "--eval-prompts", "--eval-max-tokens", "--early-stopping-patience",
];

/**
 * Tunes a model on preferences, and writes it to the output folder once its last step is done.
 * @throws BonsaiError as `openModel`, `readPolicyPairs`, `createTrainablePolicy` and `runSteps`; `usage` for options that the model does not allow.
 */
export async function trainPolicy(training: PolicyTraining): Promise<RunOutcome> {
  const { options, modelPath } = training;
  const objective = readObjective(options);
  if (options.implicitRewardDir !== "" && isReferenceFree(objective)) {
    const message = `--implicit-reward-dir is of policies with a reference, and --loss-type ${options.lossType.join(", ")} looks at none.`;
    throw new BonsaiError("usage", message, { param: "--implicit-reward-dir" });
  }
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
  const beginning = training.beginning === undefined ? undefined : readBeginning(training.beginning, model);
  const run = { flags: training.flags, options, model, adapter, beginning: beginning?.hash, ownFlags };
  if (options.resume) requireSameSoFar(options.outputDir, { ...run, totalSteps: options.maxSteps || undefined }, options);
  const data = readPolicyData(options, model, config, objective, log);
  const stepping = steppingOf(options);
  const shared: Pick<TrainablePolicyOptions, keyof TrainablePolicyOptions & keyof SamplerOptions> = {
    config,
    ...weightsTraining(options, model, adapter),
    threads: stepping.threads,
  };
  const policy = await createTrainablePolicy({
    ...shared,
    temporaryFolder: workFolder,
    rows: options.batchSize,
    length: data.length,
    pairs: data.mostPairs,
    objective,
    ...stepping,
  });
  let sampler: PolicySampler | undefined;
  try {
    const totalSteps = totalStepsOf(options, data.training.stepsPerEpoch);
    const identity = identityOf({ ...run, ...data.summary, totalSteps });
    // Before anything is restored, the policy is its own reference.
    if (!isReferenceFree(objective)) {
      const isWhole = await findReferences(policy, data, { ...training, identity, totalSteps });
      if (!isWhole) return { step: 0, isFinished: false, trainSeconds: 0 };
    }
    const reference = referenceWeights(policy);
    const prompts = promptsOf(data.heldOut?.pairs ?? [], options.evalPrompts);
    if (prompts.length > 0) {
      const endIds = new Set(model.eosTokenIds);
      const maxTokens = Math.min(options.evalMaxTokens, config.contextLength - Math.max(...prompts.map(({ length }) => length)));
      sampler = await PolicySampler.open({ ...shared, folder: workFolder, prompts, maxTokens, endIds });
    }
    if (adapter?.begin !== undefined) beginFromAdapter(policy, adapter.begin);
    beginning?.begin(policy);
    const outcome = await runSteps(
      {
        model: policy,
        data: data.training,
        evaluation: data.heldOut && policyBatches(data.heldOut, data.length, options.batchSize),
        ...courseOf(options, totalSteps),
        identity,
        stop: training.stop,
        observe: withWarnings(training),
        measure: async (step) => {
          if (sampler === undefined) return {};
          const { distance, length } = await sampler.measure(policy.weights(), reference, step);
          return { eval_kl_to_reference: distance, eval_answer_length: length };
        },
        isEnough: (evaluations) => isPastBest(evaluations, options.earlyStoppingPatience),
      },
      metricNaming(objective.kind),
    );
    if (!outcome.isFinished) return outcome;
    if (adapter === undefined) writeTrainedModel(options.outputDir, model, policy.trainedWeights(), options.saveDtype);
    else writeTrainedAdapter(options.outputDir, model, policy.trainedWeights(), adapter.settings, options.saveDtype);
    if (options.implicitRewardDir !== "") await writeImplicitReward(options, model, policy, data, adapter !== undefined);
    await report(training, model, policy, data, outcome);
    return outcome;
  } finally {
    await sampler?.dispose();
    await policy.dispose();
  }
}

/** The weights that make the policy its reference: those that it has before anything is restored. */
function referenceWeights(policy: TrainablePolicy): Arrays {
  return Object.fromEntries(Object.entries(policy.weights()).map(([name, values]) => [name, values.slice()]));
}

/** The first different prompts. */
function promptsOf(pairs: readonly DocumentPair[], count: number): number[][] {
  const found = new Map<string, number[]>();
  for (const { first } of pairs) {
    if (found.size >= count) break;
    const ids = [...first.ids.subarray(0, first.trained.indexOf(1, 1))];
    found.set(ids.join(), ids);
  }
  return [...found.values()];
}

/** Tells once where good answers are unlearnt. */
function withWarnings({ observe, log, options }: PolicyTraining): (event: TrainingEvent) => void {
  let first: Parameters<typeof displacementWarning>[0] | undefined;
  let hasWarned = false;
  return (event) => {
    observe(event);
    if (event.kind !== "evaluation" || hasWarned) return;
    // The file has the evaluations of earlier processes too: a run that goes on measures itself by where it began.
    first ??= readMetricLines(join(options.outputDir, metricsFileName)).evaluations[0] ?? event.metrics;
    const warning = displacementWarning(first, event.metrics);
    if (warning !== undefined) log(warning);
    hasWarned = warning !== undefined;
  };
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
  training: PolicyTraining,
  model: ModelFile,
  policy: TrainablePolicy,
  data: PolicyTrainingData,
  outcome: RunOutcome,
): Promise<void> {
  const { options } = training;
  await writePolicyReport(options.outputDir, {
    stage: "dpo",
    ...recordOf(training, model, outcome, data.training.stepsPerEpoch),
    trains: [...policy.trainedWeights().keys()].some((name) => name.includes(".lora_A.")) ? "a LoRA adapter" : "all weights",
    objective: { losses: options.lossType, beta: options.beta },
    data: data.summary,
    metrics: readMetricLines(join(options.outputDir, metricsFileName)),
  });
}
