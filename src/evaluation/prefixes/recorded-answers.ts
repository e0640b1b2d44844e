/**
 * @file Samples a policy's answers to prompts and scores them: whole, cut to their prefixes, and, if asked for,
 * continued from those prefixes.
 */

import pLimit from "p-limit";
import type { RecordedAnswer } from "../../best-of-n/pruning/replay.ts";
import { servedId } from "../../catalog/resolve-models.ts";
import { rewardModelOf } from "../../catalog/start-models.ts";
import type { Engine, Prompt } from "../../engine/contract/request.ts";
import { countScale } from "../../progress/progress.ts";
import type { TaskContext } from "../../progress/task-context.ts";
import { answersTo, type RewardModel } from "../../reward/reward-model.ts";
import { meanOf } from "../../statistics/moments.ts";
import { judge } from "../../teddy/judge/judge.ts";
import { readQuestion } from "../../teddy/world/read-question.ts";
import type { Message } from "../../text/conversation/message.ts";
import { sampledPieces } from "../sampled-answers.ts";
import type { MeasuredAnswer } from "./prefix-correlation.ts";
import type { PrefixOptions } from "./prefix-options.ts";
import type { RecordedGroup } from "./prefix-report.ts";

/** Prompts that are in flight at once. */
const mostInFlight = 4;
/** Texts of one scoring request. */
const textsOfRequest = 64;

interface SampledAnswer extends RecordedAnswer {
  ids: number[];
  /** Other answers with the same prefix, by measured length; empty where the answer is no longer than that. */
  continued: string[][];
}

export interface SampledGroup extends RecordedGroup {
  answers: readonly SampledAnswer[];
}

/** Samples the candidates of all prompts, and scores them, their prefixes and the continuations of those. */
export async function recordAnswers(
  engine: Engine,
  prompts: readonly (readonly Message[])[],
  options: PrefixOptions,
  { startProgress }: TaskContext,
): Promise<SampledGroup[]> {
  const reward = rewardModelOf(engine, options.rewardModel);
  const value = options.valueModel === undefined ? undefined : rewardModelOf(engine, options.valueModel);
  const isTeddy = prompts.every((prompt) => readQuestion(prompt) !== undefined);
  const progress = startProgress(countScale("prompts"));
  let done = 0;
  const groups = await pLimit(mostInFlight).map(prompts, async (prompt, index): Promise<SampledGroup> => {
    const answers = await sample(engine, prompt, index, options);
    if (options.continuations > 0) await continuePrefixes(engine, prompt, index, answers, options);
    const [whole, prefixes] = [answerTexts(answers), prefixTexts(answers, options.lengths)];
    const rewards = await rewardsOf(reward, prompt, value === undefined ? distinct([...whole, ...prefixes]) : whole);
    const values = value && (await rewardsOf(value, prompt, prefixes));
    const truth = isTeddy ? answers.map(({ pieces }) => judge(prompt, pieces.join("")).score) : undefined;
    progress.update(reward.name, ++done, prompts.length);
    return { answers, rewards, values, truth };
  });
  progress.end();
  return groups;
}

async function sample(engine: Engine, messages: readonly Message[], index: number, options: PrefixOptions): Promise<SampledAnswer[]> {
  const answers = Array.from({ length: options.samples }, (): SampledAnswer & { pieces: string[] } => ({
    pieces: [],
    ids: [],
    continued: [],
  }));
  const prompt: Prompt = { kind: "messages", messages: [...messages] };
  for await (const { index: answer, text, tokenIds } of sampledPieces(engine, servedId(options.model), prompt, index, options)) {
    // The text of several tokens counts as the last one's.
    tokenIds.forEach((_, at) => answers[answer]!.pieces.push(at === tokenIds.length - 1 ? text : ""));
    answers[answer]!.ids.push(...tokenIds);
  }
  return answers;
}

/** Lets the policy continue each measured prefix of each answer, by draws that are not those of the answer. */
async function continuePrefixes(
  engine: Engine,
  messages: readonly Message[],
  index: number,
  answers: readonly SampledAnswer[],
  options: PrefixOptions,
): Promise<void> {
  const model = servedId(options.model);
  const promptIds = await engine.tokenize(model, { kind: "messages", messages: [...messages] });
  const continueFrom = async ({ pieces, ids }: SampledAnswer, answer: number, length: number): Promise<string[]> => {
    if (length >= pieces.length) return [];
    const prefix = pieces.slice(0, length).join("");
    const texts = Array.from({ length: options.continuations }, () => prefix);
    const prompt: Prompt = { kind: "tokens", ids: [...promptIds, ...ids.slice(0, length)] };
    const sampling = {
      ...options,
      samples: options.continuations,
      maxTokens: options.maxTokens - length,
      // A seed that no prompt's first answers have.
      seed: options.seed + (1 + answer) * 1_000 + length,
    };
    for await (const piece of sampledPieces(engine, model, prompt, index, sampling)) texts[piece.index] += piece.text;
    return texts;
  };
  // One answer after the other: its prefixes are rows enough for a batch.
  for (const [at, answer] of answers.entries())
    answer.continued = await Promise.all(options.lengths.map((length) => continueFrom(answer, at, length)));
}

/** The whole answers, and the continuations of their prefixes. */
const answerTexts = (answers: readonly SampledAnswer[]): string[] =>
  distinct(answers.flatMap(({ pieces, continued }) => [pieces.join(""), ...continued.flat()]));

/** The prefixes of those lengths. */
const prefixTexts = (answers: readonly SampledAnswer[], lengths: readonly number[]): string[] =>
  distinct(
    answers.flatMap(({ pieces }) => lengths.filter((length) => length < pieces.length).map((length) => pieces.slice(0, length).join(""))),
  );

/** The texts that differ, without blank ones. */
const distinct = (texts: readonly string[]): string[] => [...new Set(texts)].filter((text) => text.trim() !== "");

async function rewardsOf(model: RewardModel, prompt: readonly Message[], texts: readonly string[]): Promise<Map<string, number>> {
  const rewards = new Map<string, number>();
  for (let start = 0; start < texts.length; start += textsOfRequest) {
    const part = texts.slice(start, start + textsOfRequest);
    const scores = await model.score(answersTo(prompt, part), { truncate: true });
    scores.forEach(({ reward }, at) => rewards.set(part[at]!, reward));
  }
  return rewards;
}

/** What is measured of a group: by length the rewards of each answer's prefix and of its continuations. */
export function measuredAnswers({ answers, rewards, values = rewards }: SampledGroup, lengths: readonly number[]): MeasuredAnswer[] {
  return answers.map(({ pieces, continued }) => ({
    tokens: pieces.length,
    reward: rewards.get(pieces.join("")),
    prefixRewards: lengths.map((length) => (length < pieces.length ? values.get(pieces.slice(0, length).join("")) : undefined)),
    continuedRewards: continued.map((texts) => {
      const known = texts.map((text) => rewards.get(text)).filter((reward) => reward !== undefined);
      return known.length === 0 ? undefined : meanOf(known);
    }),
  }));
}
