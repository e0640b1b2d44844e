/** @file Requests that are not measured: the first ones of a server compile code and grow buffers. */

import type { Message } from "../src/text/conversation/message.ts";
import { postJson } from "./drivers/post.ts";
import { chatBody, variant, type MeasuredModel } from "./variants.ts";

const candidates = 4;
const maxTokens = 64;

interface ServedModels {
  data: { id: string; kind: string }[];
}

/** Asks each policy that is served for one answer and, where there is a reward model, for the best of a few. */
export async function warmUp(url: string, messages: readonly Message[], signal: AbortSignal): Promise<void> {
  const { data } = (await (await fetch(`${url}/v1/models`, { signal })).json()) as ServedModels;
  const rewardModel = data.find(({ kind }) => kind === "reward")?.id;
  for (const { id } of data.filter(({ kind }) => kind !== "reward")) {
    for (const bestOf of rewardModel === undefined ? [1] : [1, candidates]) {
      const model: MeasuredModel = { id, title: id, rewardModel: rewardModel ?? "", maxTokens, prune: "auto" };
      await postJson(`${url}/v1/chat/completions`, chatBody(variant(model, bestOf), messages, 0), signal);
    }
  }
}
