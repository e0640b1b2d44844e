/** @file The chapter beside other engines. */

import type { Cell } from "../measurement/bench-result.ts";
import { median, spread } from "../../src/statistics/quantiles.ts";
import { peerCandidates, peerTokens } from "../peers/peers.ts";
import type { MeasuredPeer, PeersResult } from "../scenarios/peers.ts";
import { halvingWords } from "../variants.ts";
import type { Chapter } from "./chapter.ts";

export function peersChapter(result: PeersResult): Chapter {
  const { single, bestOf, pruned, peers } = result;
  const ratio = (times: readonly number[], of: readonly number[]): number => median(times.map((ms, round) => ms / of[round]!));
  const oneRow = (who: string, times: readonly number[]): Cell[] => [`${who}, one answer`, spread(times), null, ratio(times, single)];
  const bestRow = (title: string, times: readonly number[], one: readonly number[]): Cell[] => [
    title,
    spread(times),
    ratio(times, one),
    ratio(times, bestOf),
  ];
  return {
    name: "peers",
    title: "Beside other engines",
    about: [
      `SmolLM2-135M-Instruct, ${peerTokens} tokens past any end of sequence, the best of ${peerCandidates} by teddy-rm: for others the client ranks the texts by our /v1/rerank.`,
      ...[...new Set(peers.map(({ way }) => way))].map((way) => `${way}: ${namesOf(peers, way)}.`),
      `All take turns; ratios are medians of the rounds' own. Pruned: ${halvingWords}.`,
    ].join("\n"),
    tables: [
      {
        title: `One answer and the best of ${peerCandidates}`,
        note: "The last column compares one answer with one of ours, and the best of many with ours without pruning: above 1 ours is faster.",
        columns: [
          { heading: "who" },
          { heading: "ms", digits: 0 },
          { heading: "of its one answer's", digits: 1 },
          { heading: "of bonsai's time", digits: 2 },
        ],
        rows: [
          oneRow("bonsai", single),
          ...peers.map((peer) => oneRow(peer.name, peer.single)),
          bestRow(`bonsai, best of ${peerCandidates}`, bestOf, single),
          bestRow(`bonsai, best of ${peerCandidates}, pruned`, pruned, single),
          ...peers.map((peer) => bestRow(`${peer.name}, ${peerCandidates} answers and rerank`, peer.bestOf, peer.single)),
        ],
      },
    ],
    checks: [],
    figures: [],
    raw: result,
  };
}

const namesOf = (peers: readonly MeasuredPeer[], way: string): string =>
  peers
    .filter((peer) => peer.way === way)
    .map(({ name }) => name)
    .join(", ");
