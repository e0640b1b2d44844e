/**
 * @file The same work by other engines: N answers at once and a client that ranks them, beside ours in turns, on
 * SmolLM2.
 */

import { askForPeerWork, peerCandidates, peerTokens, type Peer, type RunningPeer } from "../peers/peers.ts";
import { postJson } from "../drivers/post.ts";
import type { Scenario } from "../scenario.ts";
import { halving } from "../variants.ts";

export const peersId = "peers";

const modelId = "smollm2";
/** Only the time of the ranking matters here, and not its result. */
const rewardModel = "teddy-rm";
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
  peers: MeasuredPeer[];
}

export interface MeasuredPeer {
  name: string;
  way: string;
  single: number[];
  /** Times of N answers with their ranking. */
  bestOf: number[];
}

/** @param smolLM2 path of the model's file, which we serve */
export function peersScenario(peers: readonly Peer[], smolLM2: string): Scenario {
  return {
    id: peersId,
    flags: ["--model", `${modelId}=${smolLM2}`, "--model", rewardModel],
    run: async ({ url, plan, signal }): Promise<PeersResult> => {
      const peerResults = peers.map(({ name, way }): MeasuredPeer => ({ name, way, single: [], bestOf: [] }));
      const result: PeersResult = { single: [], bestOf: [], pruned: [], peers: peerResults };
      const ask = async (question: string, extra: object): Promise<unknown> =>
        askForPeerWork(url, question, { model: modelId, ...extra }, signal);
      const bestOf = (prune: object) => ({ best_of: peerCandidates, best_of_options: { reward_model: rewardModel, ...prune } });
      const peerBestOf = async (peer: RunningPeer, question: string): Promise<void> => {
        const documents = await peer.answers(question, peerCandidates, signal);
        await postJson(`${url}/v1/rerank`, { model: rewardModel, query: question, documents, top_n: 1, truncate: true }, signal);
      };
      const running: RunningPeer[] = [];
      try {
        for (const peer of peers) running.push(await peer.start(smolLM2));
        // First requests are not measured.
        await ask(questions[0]!, {});
        for (const peer of running) await peer.answers(questions[0]!, 1, signal);
        for (let round = 0; round < plan.peerRounds; round++) {
          const question = questions[round % questions.length]!;
          result.single.push(await timed(async () => ask(question, {})));
          for (const [place, peer] of running.entries())
            peerResults[place]!.single.push(await timed(async () => peer.answers(question, 1, signal)));
          result.bestOf.push(await timed(async () => ask(question, bestOf({}))));
          for (const [place, peer] of running.entries())
            peerResults[place]!.bestOf.push(await timed(async () => peerBestOf(peer, question)));
          result.pruned.push(await timed(async () => ask(question, bestOf({ prune: halving(peerTokens) }))));
        }
      } finally {
        await Promise.all(running.map(async (peer) => peer.stop()));
      }
      return result;
    },
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
