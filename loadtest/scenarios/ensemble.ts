/** @file Rewards of the same candidates by an ensemble, which show what it would have chosen. */

import type { Message } from "../../src/text/conversation/message.ts";
import { postJson } from "../drivers/post.ts";
import type { Scenario, ScenarioContext } from "../scenario.ts";
import type { Ensemble, MeasuredModel } from "../variants.ts";
import { qualityId, type QualityResult } from "./quality.ts";

/** Rewards by prompt, in the order of the candidates; null where one could not be scored. */
export type EnsembleResult = (number | null)[][];

export const ensembleId = ({ id }: Pick<MeasuredModel, "id">, ensemble: Ensemble): string => `ensemble ${ensemble.id} ${id}`;

/** Candidates of one request. */
const candidatesOfRequest = 32;

/** @param flags of a server that has the ensemble */
export function ensembleScenario(model: MeasuredModel, ensemble: Ensemble, flags: readonly string[]): Scenario {
  return {
    id: ensembleId(model, ensemble),
    flags,
    run: async (context): Promise<EnsembleResult> => {
      const groups = context.resultOf(qualityId(model)) as QualityResult;
      const rewards: EnsembleResult = [];
      for (const [prompt, group] of groups.entries())
        rewards.push(
          await rewardsOf(
            context,
            ensemble,
            context.prompts[prompt]!,
            group.map(({ text }) => text),
          ),
        );
      return rewards;
    },
  };
}

/** Empty answers are not scored: the server would not choose them. */
async function rewardsOf(
  { url, signal }: ScenarioContext,
  ensemble: Ensemble,
  prompt: readonly Message[],
  texts: readonly string[],
): Promise<(number | null)[]> {
  const rewards = texts.map((): number | null => null);
  const places = [...texts.keys()].filter((place) => texts[place]!.trim() !== "");
  for (let start = 0; start < places.length; start += candidatesOfRequest) {
    const part = places.slice(start, start + candidatesOfRequest);
    const input = part.map((place) => ({ messages: [...prompt, { role: "assistant", content: texts[place]! }] }));
    const answer = await postJson(`${url}/v1/rewards`, { model: ensemble.id, input, truncate: true }, signal);
    const { data } = answer as { data: { index: number; reward: number }[] };
    for (const { index, reward } of data) rewards[part[index]!] = reward;
  }
  return rewards;
}
