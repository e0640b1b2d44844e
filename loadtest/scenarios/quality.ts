/**
 * @file All candidates of each prompt with their rewards, from which the quality of every smaller N is known, and the
 * baseline's answers; with the true score where there is one.
 */

import pLimit from "p-limit";
import { judge } from "../../src/teddy/judge/judge.ts";
import { postJson } from "../drivers/post.ts";
import type { Scenario, ScenarioContext } from "../scenario.ts";
import { chatBody, variant, type MeasuredModel } from "../variants.ts";
import { baselineSeedOf, seedOf } from "./requests.ts";

/** One of the answers to choose among. */
export interface Candidate {
  text: string;
  tokens: number;
  /** Reward by the model that chooses; null where the answer could not be scored. */
  reward: number | null;
}

export interface JudgedCandidate extends Candidate {
  /** The true score. */
  gold: number;
}

/** Candidates by prompt, in their order. */
export type CandidatesResult = Candidate[][];
export type QualityResult = JudgedCandidate[][];

export const candidatesId = ({ id }: Pick<MeasuredModel, "id">): string => `candidates ${id}`;
export const baselineCandidatesId = "candidates baseline";
export const qualityId = ({ id }: Pick<MeasuredModel, "id">): string => `quality ${id}`;
export const baselineId = "quality baseline";

/** Requests at a time: enough that the server always has one to run. */
const clients = 2;

interface Answer {
  choices: { message: { content: string } }[];
  best_of?: { rewards: { index: number; reward: number | null; tokens: number; text: string }[] };
}

/** Candidates of each prompt that only the reward model judges. */
export function candidatesScenario(model: MeasuredModel, flags: readonly string[]): Scenario {
  return {
    id: candidatesId(model),
    flags,
    run: async (context): Promise<CandidatesResult> => candidatesOf(context, model, Math.max(...context.plan.counts), seedOf),
  };
}

/** The baseline's answers with their rewards. */
export function baselineCandidatesScenario(model: MeasuredModel, flags: readonly string[]): Scenario {
  return {
    id: baselineCandidatesId,
    flags,
    run: async (context): Promise<CandidatesResult> => candidatesOf(context, model, context.plan.baselineAnswers, baselineSeedOf),
  };
}

export function qualityScenario(model: MeasuredModel, flags: readonly string[]): Scenario {
  return {
    id: qualityId(model),
    flags,
    run: async (context): Promise<QualityResult> => {
      const groups = await candidatesOf(context, model, Math.max(...context.plan.counts), seedOf);
      return groups.map((group, index) =>
        group.map((candidate) => ({ ...candidate, gold: judge(context.prompts[index]!, candidate.text).score })),
      );
    },
  };
}

/** Gold scores of single answers, by prompt. */
export function baselineScenario(model: MeasuredModel, flags: readonly string[]): Scenario {
  return {
    id: baselineId,
    flags,
    run: async (context): Promise<number[][]> => {
      const answers = await askAll(context, (index) => ({
        ...chatBody(variant(model, 1), context.prompts[index]!, baselineSeedOf(index)),
        n: context.plan.baselineAnswers,
      }));
      return answers.map(({ choices }, index) => choices.map(({ message }) => judge(context.prompts[index]!, message.content).score));
    },
  };
}

async function candidatesOf(
  context: ScenarioContext,
  model: MeasuredModel,
  count: number,
  seed: (prompt: number) => number,
): Promise<CandidatesResult> {
  const answers = await askAll(context, (index) =>
    chatBody(variant(model, count), context.prompts[index]!, seed(index), { returnCandidates: true }),
  );
  return answers.map(({ best_of: bestOf }) =>
    bestOf!.rewards
      .toSorted((one, other) => one.index - other.index)
      .map(({ text, tokens, reward }): Candidate => ({ text, tokens, reward })),
  );
}

/** One answer for each prompt. @throws Error where one fails: quality is measured on all prompts or not at all */
async function askAll({ url, plan, prompts, signal }: ScenarioContext, body: (index: number) => unknown): Promise<Answer[]> {
  const limit = pLimit(clients);
  const asked = [...prompts.keys()].slice(0, plan.qualityPrompts);
  const answers = limit.map(asked, async (index) => (await postJson(`${url}/v1/chat/completions`, body(index), signal)) as Answer);
  // After a failure nothing more is asked.
  return answers.finally(() => limit.clearQueue());
}
