/** @file The chapter of latencies: one client alone, several at once, and small requests beside large ones. */

import type { Cell, Check, Table } from "../measurement/bench-result.ts";
import { objectiveMs, type LoadSummary, type Quantiles } from "../load-summary.ts";
import type { MixResult } from "../scenarios/load.ts";
import type { Chapter } from "./chapter.ts";

/** A load and its name in the table. */
export interface NamedLoad {
  title: string;
  load: LoadSummary;
}

export interface LoadFacts {
  alone: readonly NamedLoad[];
  together: readonly NamedLoad[];
  connections: number;
  mix: { clientsOfEach: number; bestOf: number; result: MixResult } | undefined;
  /** One answer for each client at a time, by transport. */
  transports: readonly NamedLoad[];
  transportClients: number;
}

export function loadChapter({ alone, together, connections, mix, transports, transportClients }: LoadFacts): Chapter {
  const all = [...alone, ...together, ...transports].map(({ load }) => load);
  const mixed: NamedLoad[] =
    mix === undefined
      ? []
      : [
          { title: `one answer, ${mix.clientsOfEach} clients`, load: mix.result.single },
          { title: `best of ${mix.bestOf}, ${mix.clientsOfEach} clients`, load: mix.result.bestOf },
        ];
  return {
    name: "load",
    title: "Latency",
    about: [
      "Held-out questions of the teddy world. Times are in milliseconds. The first token of Best-of-N is the winner's, which is known only when the choice is made. Goodput is answers a second that came whole",
      `within ${objectiveMs} ms. Event loop: how late it came to a timer, p99. Memory: resident, in MB of 10^6 bytes. Both from the server's /metrics.`,
    ].join("\n"),
    tables: [
      {
        ...loadTable("One client, streamed", alone),
        note: "An inter-token time is that between two pieces of text of an answer that is streamed as it grows.",
      },
      loadTable(`${connections} connections at once (autocannon)`, together),
      ...(mixed.length === 0
        ? []
        : [
            {
              ...loadTable("Small requests beside large ones, streamed", mixed),
              note: "Both kinds run together on one server; event loop and memory are of both.",
            },
          ]),
      loadTable(`One answer for each of ${transportClients} clients, by transport; WebSocket on one connection`, transports),
    ],
    checks: [failures([...all, ...mixed.map(({ load }) => load)])],
    figures: [],
    raw: { alone, together, mix, transports },
  };
}

/** Requests that were neither answered nor refused. */
export function failures(loads: readonly LoadSummary[]): Check {
  const failed = loads.reduce((sum, load) => sum + load.failed, 0);
  return { claim: "requests that failed", measured: failed, unit: "", bound: "at most", limit: 0 };
}

export function loadTable(title: string, loads: readonly NamedLoad[]): Table {
  const cells = (quantiles: Quantiles | null): Cell[] =>
    quantiles === null ? [null, null, null] : [quantiles.p50, quantiles.p90, quantiles.p99];
  const headings = (what: string): { heading: string; digits: number }[] =>
    ["p50", "p90", "p99"].map((share) => ({ heading: `${what} ${share}`, digits: what === "inter-token" ? 1 : 0 }));
  return {
    title,
    columns: [
      { heading: "answer" },
      { heading: "requests", digits: 0 },
      ...headings("first token"),
      ...headings("inter-token"),
      ...headings("whole"),
      { heading: "answers/s", digits: 2 },
      { heading: "goodput/s", digits: 2 },
      { heading: "refused", digits: 0 },
      { heading: "tokens/s", digits: 0 },
      { heading: "generated / returned", digits: 1 },
      { heading: "event loop", digits: 1 },
      { heading: "memory", digits: 0 },
    ],
    rows: loads.map(({ title: name, load }): Cell[] => [
      name,
      load.requests,
      ...cells(load.firstTokenMs),
      ...cells(load.interTokenMs),
      ...cells(load.endToEndMs),
      load.throughput,
      load.goodput,
      load.refused,
      load.tokensGenerated / load.seconds,
      load.tokensReturned === 0 ? null : load.tokensGenerated / load.tokensReturned,
      load.server?.eventLoopDelayMs.p99 ?? null,
      load.server?.residentMB ?? null,
    ]),
  };
}
