/** @file The chapter beside llama-server. */

import type { Cell } from "../../test/bench/report/bench-result.ts";
import { median, spread } from "../../test/bench/report/statistics.ts";
import { peerCandidates, peerTokens, type PeersResult } from "../scenarios/peers.ts";
import type { Chapter } from "./chapter.ts";

export function peersChapter(result: PeersResult): Chapter {
  const { single, bestOf, pruned, llamaSingle, llamaBestOf } = result;
  const ratio = (ours: readonly number[], other: readonly number[]): number => median(ours.map((ms, round) => ms / other[round]!));
  const row = (title: string, times: readonly number[], one: readonly number[]): Cell[] => [
    title,
    spread(times),
    ratio(times, one),
    ratio(llamaBestOf, times),
  ];
  return {
    name: "peers",
    title: "Beside llama-server",
    about: [
      `SmolLM2-135M-Instruct (Q4_1 file, the same for both), ${peerTokens} tokens past any end of sequence, the best of ${peerCandidates} by teddy-rm. llama-server has a slot for each candidate, gets them as requests at`,
      "one time, and the client ranks their texts by our /v1/rerank. The two take turns; ratios are medians of the rounds' own.",
    ].join("\n"),
    tables: [
      {
        title: `One answer and the best of ${peerCandidates}`,
        columns: [
          { heading: "who" },
          { heading: "ms", digits: 0 },
          { heading: "of one answer's", digits: 1 },
          { heading: `llama-server's best of ${peerCandidates} takes, times`, digits: 2 },
        ],
        rows: [
          ["bonsai, one answer", spread(single), null, null],
          row(`bonsai, best of ${peerCandidates}`, bestOf, single),
          row(`bonsai, best of ${peerCandidates}, pruned`, pruned, single),
          ["llama-server, one answer", spread(llamaSingle), null, null],
          row(`llama-server, ${peerCandidates} answers and rerank`, llamaBestOf, llamaSingle),
        ],
      },
    ],
    checks: [],
    figures: [],
    raw: result,
  };
}
