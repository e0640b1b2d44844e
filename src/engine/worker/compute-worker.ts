/**
 * @file The compute worker's entry: a process that loads the models, runs the engine, and answers messages between
 * steps.
 */

import { EncoderScorer } from "../scoring/encoder-scorer.ts";
import { EngineLoop } from "../scheduling/engine-loop.ts";
import type { GenerationListener } from "../scheduling/open-requests.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./messages.ts";
import { openImplicitReward } from "../scoring/implicit-scorer.ts";
import { loadModels, type Model } from "../loading/model.ts";
import { ReadWindow } from "./read-window.ts";
import type { Scorer } from "../scoring/scorer.ts";
import { yieldToServer } from "./process-priority.ts";
import { toWire } from "./wire-error.ts";

type Turn = Extract<FromWorker, { type: "turn" }>;
type Request = Exclude<ToWorker, { type: "start" | "close" }>;

const memoryReportMs = 1000;

if (process.send === undefined) throw new Error("compute-worker.ts runs as a process that spawn-worker.ts starts.");
const send = (message: FromWorker, sent?: () => void): void => void process.send!(message, undefined, undefined, sent);

interface Loaded {
  models: Model[];
  /** Reward models that are no decoders. */
  scorers: Scorer[];
}

/** Loads one model after the other: each may use all cores while it is prepared. */
async function loadAll(setup: WorkerSetup): Promise<Loaded> {
  const loaded: Loaded = { models: [], scorers: [] };
  const log = (line: string): void => send({ type: "log", line });
  for (const { reward, ...rest } of setup.models) {
    const options = { ...rest, log };
    if (reward?.form === "encoder") loaded.scorers.push(await EncoderScorer.load({ ...options, reward }));
    else loaded.models.push(...(await loadModels({ ...options, reward })));
  }
  for (const options of setup.models.flatMap(({ implicitRewards = [] }) => implicitRewards))
    loaded.scorers.push(openImplicitReward(options, loaded.models));
  return loaded;
}

/** @returns what takes the requests */
function serve({ models, scorers }: Loaded, setup: WorkerSetup): (message: Request) => void {
  const loop = new EngineLoop(models, setup.loop, scorers);
  let turn: Omit<Turn, "type" | "stats"> | undefined;
  // What one step gives to all its rows crosses in one message.
  const pending = (): Omit<Turn, "type" | "stats"> => {
    if (turn === undefined) {
      turn = { events: [], scores: [], failures: [] };
      queueMicrotask(() => {
        if (turn !== undefined) send({ type: "turn", ...turn, stats: loop.stats() });
        turn = undefined;
      });
    }
    return turn;
  };
  const windows = new Map<number, ReadWindow>();
  const listener = (id: number): GenerationListener => {
    const window = new ReadWindow();
    windows.set(id, window);
    return {
      event: (event) => {
        window.sent(event);
        pending().events.push({ id, event });
        if (event.type === "end") windows.delete(id);
      },
      failed: (error) => {
        pending().failures.push({ id, error: toWire(error) });
        windows.delete(id);
      },
      isFull: () => window.isFull,
    };
  };
  send({ type: "ready", models: [...models, ...scorers].map(({ info }) => info) });
  return (message) => {
    if (message.type === "generate") {
      loop.start(message.id, message.request, listener(message.id));
      // The queue has grown, though no event may come of it for a while.
      pending();
    } else if (message.type === "score") {
      loop.score(message.id, message.request, {
        scored: (result) => pending().scores.push({ id: message.id, result }),
        failed: (error) => pending().failures.push({ id: message.id, error: toWire(error) }),
      });
      pending();
    } else if (message.type === "cancel") loop.cancel(message.id);
    else if (message.type === "taken") {
      windows.get(message.id)?.taken(message.bytes);
      loop.wake();
    } else if (message.type === "drop") loop.drop(message.id, message.indexes);
    else if (message.type === "proceed") loop.proceed(message.id, message.tokens, message.settled);
    else {
      const { id } = message;
      loop.tokenize(id, message.model, message.prompt, {
        read: (ids) => send({ type: "tokens", id, ids }),
        failed: (error) => send({ type: "tokenizeFailed", id, error: toWire(error) }),
      });
    }
  };
}

let take: ((message: Request) => void) | undefined;

async function start(setup: WorkerSetup): Promise<void> {
  try {
    take = serve(await loadAll(setup), setup);
  } catch (error) {
    send({ type: "startFailed", error: toWire(error) }, () => process.exit(1));
  }
}

// Ctrl-C reaches all processes of a terminal, and a service manager signals all of a service: the server lets running
// requests end, and says when this process may go.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
// The server has gone, however it ended.
process.on("disconnect", () => process.exit(1));
process.on("message", (message: ToWorker) => {
  if (message.type === "start") void start(message.setup);
  else if (message.type === "close") process.exit(0);
  else take?.(message);
});
setInterval(() => send({ type: "memory", residentBytes: process.memoryUsage.rss() }), memoryReportMs).unref();
yieldToServer();
