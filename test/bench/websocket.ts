/**
 * @file What WebSocket connections cost: memory of idle ones, and gaps between tokens of many that stream, beside
 * server-sent events.
 */

import { setMaxListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAnswered } from "../../loadtest/drivers/observation.ts";
import { connectSocket, type SocketDriver } from "../../loadtest/drivers/web-socket.ts";
import { requireSmolLM2 } from "../../loadtest/measurement/real-files.ts";
import { streamCompletion } from "./load/http-streams.ts";
import { readMetrics } from "./load/metrics.ts";
import { readMemory, type ProcessMemory } from "./load/process-memory.ts";
import { buildProgram, startBonsai } from "../../loadtest/measurement/server-process.ts";
import type { Cell } from "../../loadtest/measurement/bench-result.ts";
import { quantileCells, quantileColumns } from "./report/quantile-table.ts";
import { runBench } from "./report/run-bench.ts";
import { quantile } from "../../src/statistics/quantiles.ts";

const modelId = "smollm2";
const idleConnections = 200;
/** The cost of a connection is measured over so many, since the first ones use memory that the process has already. */
const mostConnections = 1000;
const streamingConnections = 50;
const answerTokens = 64;
/** Streams whose text is compared with the HTTP answer. */
const compared = 8;
/** Memory of an idle connection, in the server. */
const idleLimitKB = 100;

interface Asked {
  body: object;
  text: string;
}

await runBench(import.meta.url, async ({ profile, say }) => {
  const model = requireSmolLM2();
  const seconds = profile === "quick" ? 8 : 60;
  const cacheDir = mkdtempSync(join(tmpdir(), "bonsai-websocket-"));
  buildProgram();
  const memory: { label: string; memory: ProcessMemory; heapMB: number }[] = [];
  const gaps: { label: string; gapsMs: number[] }[] = [];
  let differing = 0;
  let idleKB: number;
  try {
    // Hundreds of connections come at one time: on a busy machine the event loop lags, and none may be refused for
    // that.
    const flags = ["--max-event-loop-delay", "0", "--cache-dir", cacheDir];
    const server = await startBonsai(["--model", `${modelId}=${model}`, ...flags]);
    const measure = async (label: string): Promise<number> => {
      const now = readMemory(server.pid);
      const metrics = await readMetrics(server.url);
      const heapMB = ((metrics.get("nodejs_heap_size_used_bytes") ?? 0) + (metrics.get("nodejs_external_memory_bytes") ?? 0)) / 1e6;
      memory.push({ label, memory: now, heapMB });
      return now.residentMB;
    };
    try {
      // What the first answers allocate once is no cost of a connection.
      say("Warming up");
      await overServerSentEvents(server.url, 2);
      const beforeMB = await measure("no connection");
      say(`${idleConnections} idle connections, then ${mostConnections}`);
      const idle = await connect(server.url, idleConnections);
      await sleep(1000);
      await measure(`${idleConnections} idle`);
      const more = await connect(server.url, mostConnections - idleConnections);
      await sleep(1000);
      idleKB = (((await measure(`${mostConnections} idle`)) - beforeMB) * 1000) / mostConnections;
      await closeAll(more);
      say(`${streamingConnections} streaming connections beside them`);
      const { gapsMs, finished } = await overWebSocket(server.url, seconds, () =>
        measure(`${idleConnections} idle and ${streamingConnections} streaming`),
      );
      gaps.push({ label: "WebSocket", gapsMs });
      await closeAll(idle);
      say("The same over server-sent events");
      gaps.push({ label: "server-sent events", gapsMs: await overServerSentEvents(server.url, seconds) });
      say("The same answers over HTTP");
      for (const { body, text } of finished.slice(0, compared)) if ((await httpAnswer(server.url, body)) !== text) differing += 1;
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(cacheDir, { recursive: true, force: true });
  }
  return {
    title: "WebSocket connections",
    about: [
      `SmolLM2-135M-Instruct (Q4_1 file) in the default mode. ${idleConnections} connections are open without a request; beside them ${streamingConnections} others stream answers of ${answerTokens} tokens to prompts of their own, one after the other, without pause.`,
      "The load and the server are two processes on the same cores.",
    ].join("\n"),
    tables: [
      {
        title: "Memory of the server",
        note: "One after the other in one process. Anonymous memory is what no file backs; the heap is the server thread's JavaScript, with buffers, before its garbage is collected. The check counts the resident memory of all idle connections.",
        columns: [
          { heading: "connections" },
          { heading: "resident (MB)", digits: 1 },
          { heading: "anonymous (MB)", digits: 1 },
          { heading: "heap (MB)", digits: 1 },
        ],
        rows: memory.map(({ label, memory: { residentMB, anonymousMB }, heapMB }): Cell[] => [label, residentMB, anonymousMB, heapMB]),
      },
      {
        title: "Between two chunks of a stream",
        note: `As the client reads them, ${streamingConnections} streams at once. A chunk is a token, or a few where a character or a possible stop string needs them.`,
        columns: [{ heading: "over" }, ...quantileColumns],
        rows: gaps.map(({ label, gapsMs }): Cell[] => [label, ...quantileCells(gapsMs)]),
      },
    ],
    checks: [
      { claim: "memory of an idle connection", measured: idleKB, unit: "kB", bound: "at most", limit: idleLimitKB },
      {
        claim: `of ${compared} streamed texts, those that are not the HTTP answer for their seed`,
        measured: differing,
        unit: "",
        bound: "at most",
        limit: 0,
      },
    ],
    raw: { memory, gapsMs: gaps.map(({ label, gapsMs }) => ({ label, ...summary(gapsMs) })) },
  };
});

function summary(values: readonly number[]): Record<string, number> {
  return Object.fromEntries([0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1].map((share) => [share, quantile(values, share)]));
}

async function connect(url: string, count: number): Promise<SocketDriver[]> {
  return Promise.all(Array.from({ length: count }, async () => connectSocket(url)));
}

async function closeAll(sockets: readonly SocketDriver[]): Promise<void> {
  await Promise.all(sockets.map(async ({ close }) => close()));
}

/** The nth chat of a connection. */
function chat(place: number, nth: number): object {
  return {
    model: modelId,
    messages: [{ role: "user", content: `Write a short story about bear number ${place} and button number ${nth}.` }],
    max_tokens: answerTokens,
    seed: place * 1000 + nth,
    ignore_eos: true,
  };
}

/**
 * Runs as many clients as there are streaming connections, each of which asks again when it is answered, until the time
 * is over; calls `halfway` in the middle.
 */
async function runClients(
  seconds: number,
  ask: (place: number, nth: number, signal: AbortSignal) => Promise<void>,
  halfway?: () => Promise<unknown>,
): Promise<void> {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const places = Array.from({ length: streamingConnections }, async (_, place) => {
    for (let nth = 0; !controller.signal.aborted; nth++) await ask(place, nth, controller.signal);
  });
  await sleep(seconds * 500);
  await halfway?.();
  await sleep(seconds * 500);
  controller.abort();
  await Promise.all(places);
}

function gapsOf(arrivalsMs: readonly number[]): number[] {
  return arrivalsMs.slice(1).map((at, index) => at - (arrivalsMs[index] as number));
}

async function overWebSocket(
  url: string,
  seconds: number,
  halfway: () => Promise<unknown>,
): Promise<{ gapsMs: number[]; finished: Asked[] }> {
  const sockets = await connect(url, streamingConnections);
  const gapsMs: number[] = [];
  const finished: Asked[] = [];
  await runClients(
    seconds,
    async (place, nth, signal) => {
      const body = chat(place, nth);
      const seen = await sockets[place]!.driver(url, body, performance.now(), signal);
      if (!isAnswered(seen) && !signal.aborted) throw new Error(`A stream failed: ${seen.failure ?? seen.status}`);
      gapsMs.push(...gapsOf(seen.pieceMs));
      if (isAnswered(seen)) finished.push({ body, text: seen.text });
    },
    halfway,
  );
  await closeAll(sockets);
  return { gapsMs, finished };
}

async function overServerSentEvents(url: string, seconds: number): Promise<number[]> {
  const gapsMs: number[] = [];
  await runClients(seconds, async (place, nth, signal) => {
    const { arrivalsMs } = await streamCompletion(url, { ...chat(place, nth), stream: true }, signal, "/v1/chat/completions");
    // The first chunk has the role and no text.
    gapsMs.push(...gapsOf(arrivalsMs.slice(1)));
  });
  return gapsMs;
}

async function httpAnswer(url: string, body: object): Promise<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
  return choices[0]?.message.content ?? "";
}
