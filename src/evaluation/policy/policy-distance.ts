/** @file How far a policy has gone from a baseline: the divergence of its answers, measured on samples of its own. */

import type { Engine, PromptToken } from "../../engine/contract/request.ts";
import { plainSampling } from "../../engine/sampling/sampler.ts";
import type { Message } from "../../text/conversation/message.ts";
import { estimateMean, type Estimate } from "../../statistics/intervals.ts";
import { meanOf } from "../../statistics/moments.ts";

export interface DistanceSamples {
  policy: string;
  baseline: string;
  prompts: readonly (readonly Message[])[];
  /** Token ids of the policy's answers, [prompts][samples]. */
  tokens: readonly (readonly (readonly number[])[])[];
}

/** Answers of each prompt that are read again. */
const samplesRead = 2;

/**
 * The mean of log pi(y|x) - log pi_baseline(y|x) over answers y of the policy at temperature 1: an unbiased estimate of
 * KL(pi || pi_baseline), nats an answer, with its interval over prompts.
 * @returns undefined where the two do not read a prompt as the same tokens, so that their probabilities cannot be
 * compared.
 */
export async function distanceBetween(
  engine: Engine,
  { policy, baseline, prompts, tokens }: DistanceSamples,
): Promise<Estimate | undefined> {
  const differences: number[] = [];
  for (const [index, messages] of prompts.entries()) {
    const prompt = { kind: "messages" as const, messages: [...messages] };
    const [ids, others] = await Promise.all([policy, baseline].map(async (model) => engine.tokenize(model, prompt)));
    if (ids!.join() !== others!.join()) return undefined;
    const answers = tokens[index]!.slice(0, samplesRead).filter((answer) => answer.length > 0);
    const ofAnswers = await Promise.all(
      answers.map(async (answer) => {
        const [own, other] = await Promise.all([policy, baseline].map(async (model) => logProbability(engine, model, ids!, answer)));
        return own! - other!;
      }),
    );
    if (ofAnswers.length > 0) differences.push(meanOf(ofAnswers));
  }
  return estimateMean(differences);
}

/** log p of an answer after its prompt, nats. */
async function logProbability(engine: Engine, model: string, prompt: readonly number[], answer: readonly number[]): Promise<number> {
  const read = await readTokens(engine, model, [...prompt, ...answer]);
  return read.slice(prompt.length).reduce((sum, { logprob }) => sum + (logprob ?? 0), 0);
}

/**
 * What a model makes of given tokens: each with its log-probability after those before it, of which the first has none.
 */
export async function readTokens(engine: Engine, model: string, ids: readonly number[]): Promise<PromptToken[]> {
  const events = engine.generate({
    model,
    prompt: { kind: "tokens", ids: [...ids] },
    n: 1,
    maxTokens: 0,
    sampling: plainSampling,
    seed: 0,
    stop: [],
    ignoreEos: false,
    logprobs: 0,
    echo: true,
  });
  let read: PromptToken[] = [];
  for await (const event of events) if (event.type === "start") read = event.echo?.tokens ?? [];
  return read;
}
