/**
 * @file An engine with a small policy and a reward model, and Best-of-N requests over it, for tests that run the real
 * thing.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CandidateProgress } from "../../src/best-of-n/candidate-set.ts";
import type { BestOfOptions } from "../../src/best-of-n/options.ts";
import type { TokenStage } from "../../src/best-of-n/pruning/schedule.ts";
import type { BestOfEvent, BestOfReport } from "../../src/best-of-n/result.ts";
import { ScoringPace, type RewardAnswers } from "../../src/best-of-n/reward-requests.ts";
import { bestOfN, type BestOfResources } from "../../src/best-of-n/run.ts";
import type { Engine, GenerateRequest } from "../../src/engine/contract/request.ts";
import { plainSampling } from "../../src/engine/sampling/sampler.ts";
import { startEngine } from "../../src/engine/worker/start-engine.ts";
import { readRewardConfig } from "../../src/reward/reward-config.ts";
import { answersTo, servedRewardModel } from "../../src/reward/reward-model.ts";
import { goldenPath } from "../architectures/goldens.ts";
import { roomyLimits } from "../engine/answers.ts";
import { writePoisoned } from "../engine/poisoned-model.ts";
import { writeTinyModel } from "../fixtures/tiny-model.ts";

export const rewardPath = fileURLToPath(new URL("../oracle/rewards/llama", import.meta.url));

/**
 * The policy is "policy", the reward model "reward"; "long" is a policy whose answers can take long, and "poisoned" one
 * that fails when it reads token 50.
 */
export function startSmallEngine(folder: string): Promise<Engine> {
  const longPath = join(folder, "long");
  writeTinyModel(longPath, { contextLength: 4096 });
  return startEngine({
    ...roomyLimits,
    models: [
      { id: "policy", path: goldenPath("llama") },
      { id: "long", path: longPath },
      { id: "poisoned", path: writePoisoned(folder, 50) },
      { id: "reward", path: rewardPath, reward: readRewardConfig(rewardPath) },
    ],
    quantization: "fp32",
    cacheDir: join(folder, "cache"),
    threads: 1,
    log: () => {},
  });
}

export const messages = [{ role: "user" as const, content: "Why do bears like honey?" }];

export function candidatesOf(n: number, parts: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    model: "policy",
    prompt: { kind: "messages", messages },
    n,
    maxTokens: 24,
    sampling: { ...plainSampling, temperature: 1 },
    seed: 11,
    stop: [],
    ignoreEos: false,
    logprobs: undefined,
    echo: false,
    ...parts,
  };
}

/** Hours of tokens, unless something ends them. */
export const endless = (n: number): GenerateRequest =>
  candidatesOf(n, { model: "long", prompt: { kind: "text", text: "Why?" }, maxTokens: 4000, ignoreEos: true });

export const plainOptions: BestOfOptions = {
  strategy: "max",
  rewardModel: "reward",
  judgeModel: undefined,
  returned: 1,
  softTemperature: 1,
  voteOn: "text",
  prune: "off",
  deadlineMs: undefined,
  targetReward: undefined,
  sampleCost: undefined,
  rewardFallback: "error",
  stream: "winner",
};

/** What the reward model of the engine gives. */
export function rewardsBy(engine: Engine): RewardAnswers {
  const model = servedRewardModel(
    engine,
    engine.models.find(({ id }) => id === "reward")!,
  );
  return async (answers, signal) => {
    return (await model.score(answersTo(messages, answers), { truncate: true, signal })).map(({ reward }) => reward);
  };
}

export interface Run {
  options?: Partial<BestOfOptions>;
  answers?: RewardAnswers;
  stages?: readonly TokenStage[];
  compare?: BestOfResources["compare"];
  observe?: BestOfResources["observe"];
  signal?: AbortSignal;
}

export function eventsOf(engine: Engine, request: GenerateRequest, run: Run = {}): AsyncGenerator<BestOfEvent, void, undefined> {
  const resources: BestOfResources = {
    generate: (candidates, signal) => engine.generate(candidates, signal),
    reward: { answers: run.answers ?? rewardsBy(engine), pace: new ScoringPace() },
    compare: run.compare,
    observe: run.observe,
    stagesOf: () => run.stages ?? [],
  };
  const prune = run.stages === undefined ? "off" : "auto";
  return bestOfN(request, { ...plainOptions, prune, ...run.options }, resources, run.signal ?? new AbortController().signal);
}

export interface Outcome {
  texts: string[];
  reasons: string[];
  report: BestOfReport;
  progress: CandidateProgress[][];
  /** Types of the events, each run of equal ones once. */
  order: string[];
  completionTokens: number;
}

/** Runs a request to its end. */
export async function outcomeOf(engine: Engine, request: GenerateRequest, run: Run = {}): Promise<Outcome> {
  const outcome: Omit<Outcome, "report"> & { report?: BestOfReport } = {
    texts: [],
    reasons: [],
    progress: [],
    order: [],
    completionTokens: 0,
  };
  for await (const event of eventsOf(engine, request, run)) {
    if (outcome.order.at(-1) !== event.type) outcome.order.push(event.type);
    if (event.type === "delta") outcome.texts[event.index] = (outcome.texts[event.index] ?? "") + event.text;
    else if (event.type === "finish") {
      outcome.reasons[event.index] = event.reason;
      outcome.texts[event.index] ??= "";
      outcome.completionTokens += event.completionTokens;
    } else if (event.type === "progress") outcome.progress.push(event.candidates);
    else if (event.type === "chosen") {
      outcome.report = event.report;
      outcome.completionTokens += event.otherTokens;
    }
  }
  return outcome as Outcome;
}
