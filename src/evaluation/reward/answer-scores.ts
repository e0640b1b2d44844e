/** @file Scores every answer of a set by a reward model, or by a judge that scores single answers. */

import pLimit from "p-limit";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import type { AnswerScores, EvaluationSet } from "./evaluation-set.ts";
import type { Judge } from "../../judges/judges.ts";
import type { RewardModel } from "../../reward/reward-model.ts";
import { inBatches } from "../../training/data/row-data.ts";

/** Called with the number of answers scored since the last call. */
export type ScoringProgress = (count: number) => void;

/** Answers of one request, and requests in flight: enough to fill the engine's runs. */
const answersOfRequest = 16;
const mostInFlight = 8;

/**
 * Scores by raw rewards: their differences are logits, which those of normalised rewards are not. A conversation that
 * is longer than the model's context is cut.
 */
export async function scoreByModel(model: RewardModel, set: EvaluationSet, onProgress: ScoringProgress): Promise<AnswerScores> {
  const whole = new Float64Array(set.answers.length);
  const dimensions = new Map(model.dimensions.map((dimension) => [dimension, new Float64Array(set.answers.length)]));
  const requests = [...placesByPrompt(set).values()].flatMap((places) => inBatches(places, answersOfRequest));
  await pLimit(mostInFlight).map(requests, async (request) => {
    const inputs = request.map((place) => {
      const { prompt, text } = set.answers[place]!;
      return { prompt: set.prompts[prompt]!, answer: { role: "assistant", content: text }, param: "messages" };
    });
    const rewards = await model.score(inputs, { truncate: true });
    for (const [at, place] of request.entries()) {
      const reward = rewards[at]!;
      whole[place] = reward.raw;
      for (const [output, dimension] of model.dimensions.entries()) dimensions.get(dimension)![place] = reward.dimensions[output]!;
    }
    onProgress(request.length);
  });
  return { name: model.name, whole, dimensions, isLogit: true };
}

/** @throws BonsaiError `invalid_dataset` where the judge has no opinion on an answer. */
export async function scoreByJudge(judge: Judge, set: EvaluationSet, onProgress: ScoringProgress): Promise<AnswerScores> {
  const whole = new Float64Array(set.answers.length);
  const dimensions = new Map<string, Float64Array>();
  for (const [prompt, places] of placesByPrompt(set)) {
    const answers = places.map((place) => set.answers[place]!.text);
    const judged = { prompt: set.prompts[prompt]!, answers, references: [], origins: answers.map(() => "given" as const), index: prompt };
    for (const [at, place] of places.entries()) {
      const found = await judge.score?.(judged, at);
      if (found === undefined)
        throw new BonsaiError("invalid_dataset", `${judge.name} has no opinion on an answer of ${set.name}.`, { param: "--judge" });
      whole[place] = found.score;
      for (const [dimension, value] of Object.entries(found.dimensions ?? {})) {
        const values = dimensions.get(dimension) ?? new Float64Array(set.answers.length);
        values[place] = value;
        dimensions.set(dimension, values);
      }
    }
    onProgress(places.length);
  }
  return { name: judge.name, whole, dimensions, isLogit: false };
}

/** Places of the answers to each prompt, which share its tokens. */
function placesByPrompt({ answers }: EvaluationSet): Map<number, number[]> {
  const places = new Map<number, number[]>();
  for (const [place, { prompt }] of answers.entries()) {
    const own = places.get(prompt);
    if (own === undefined) places.set(prompt, [place]);
    else own.push(place);
  }
  return places;
}
