/** @file The same work by llama-server: N answers at once and a client that ranks them, beside ours in turns, on SmolLM2. */

import { availableParallelism } from "node:os";
import { startLlamaServer, type Llama } from "../../test/bench/peers/llama.ts";
import type { Scenario } from "../scenario.ts";
import { stagedPruning } from "../variants.ts";

export const peersId = "peers";
export const peerCandidates = 16;
export const peerTokens = 128;

const modelId = "smollm2";
/** Any reward model can rank any text: here it costs what it costs, and what it thinks of SmolLM2 is not the question. */
const rewardModel = "teddy-rm";
/** Of one slot: prompt and answer. */
const slotTokens = 256;
const questions = [
  "My old bear smells of dust. Tell me in detail how to freshen it up.",
  "How do I wash a plush rabbit by hand? Explain every step.",
  "What should I pack for a picnic with my children and their bears?",
  "Write a long story about a bear who could not sleep.",
];

/** Milliseconds by round. */
export interface PeersResult {
  single: number[];
  bestOf: number[];
  pruned: number[];
  llamaSingle: number[];
  /** With the ranking. */
  llamaBestOf: number[];
}

/** @param smolLM2 path of the model's file, which both serve */
export function peersScenario(llama: Llama, smolLM2: string): Scenario {
  return {
    id: peersId,
    flags: ["--model", `${modelId}=${smolLM2}`, "--model", rewardModel],
    run: async ({ url, plan, signal }): Promise<PeersResult> => {
      const result: PeersResult = { single: [], bestOf: [], pruned: [], llamaSingle: [], llamaBestOf: [] };
      const peer = await startLlamaServer(llama, {
        model: smolLM2,
        threads: availableParallelism(),
        slots: peerCandidates,
        contextTokens: peerCandidates * slotTokens,
      });
      const ask = async (server: string, question: string, extra: object): Promise<string> => {
        const answer = (await post(`${server}/v1/chat/completions`, { ...request(question), ...extra }, signal)) as {
          choices: { message: { content: string } }[];
        };
        return answer.choices[0]!.message.content;
      };
      const bestOf = (prune: object) => ({ best_of: peerCandidates, best_of_options: { reward_model: rewardModel, ...prune } });
      const peerBestOf = async (question: string): Promise<void> => {
        const seeds = Array.from({ length: peerCandidates }, (_, index) => index + 1);
        const documents = await Promise.all(seeds.map(async (seed) => ask(peer.url, question, { seed })));
        await post(`${url}/v1/rerank`, { model: rewardModel, query: question, documents, top_n: 1, truncate: true }, signal);
      };
      try {
        // Neither's first request counts.
        await Promise.all([ask(url, questions[0]!, {}), ask(peer.url, questions[0]!, {})]);
        for (let round = 0; round < plan.peerRounds; round++) {
          const question = questions[round % questions.length]!;
          result.single.push(await timed(async () => ask(url, question, {})));
          result.llamaSingle.push(await timed(async () => ask(peer.url, question, {})));
          result.bestOf.push(await timed(async () => ask(url, question, bestOf({}))));
          result.llamaBestOf.push(await timed(async () => peerBestOf(question)));
          result.pruned.push(await timed(async () => ask(url, question, bestOf({ prune: stagedPruning }))));
        }
      } finally {
        await peer.stop();
      }
      return result;
    },
  };
}

const request = (question: string): object => ({
  model: modelId,
  messages: [{ role: "user", content: question }],
  max_tokens: peerTokens,
  ignore_eos: true,
  temperature: 1,
  seed: 1,
});

async function post(url: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
