/** @file Chaos of a server: it, or its compute worker, is killed while it prepares models or answers. */

import { cpSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../loadtest/measurement/server-process.ts";
import { childrenOf, start, type Started } from "./killed-program.ts";
import type { Draw, RoundOutcome, Scenario } from "./scenario.ts";

/** A server that does not become ready, or does not answer, in this time counts as lost. */
const patienceMs = 120_000;
const seeds = [1, 2, 3];

interface Server extends Started {
  url: string;
}

async function startServer(model: string, cacheDir: string, environment: Readonly<Record<string, string>>): Promise<Server> {
  const port = await freePort();
  const words = ["src/cli/main.ts", "serve", "--model", model, "--cache-dir", cacheDir, "--port", String(port), "--threads", "1"];
  return { ...start([...words, "--log-level", "error"], environment), url: `http://127.0.0.1:${port}` };
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/health/ready`).then(
    async (response) => {
      await response.arrayBuffer();
      return response.ok;
    },
    () => false,
  );
}

/** @returns whether it became ready; false where it ended or took too long */
async function becomesReady({ url, child }: Server): Promise<boolean> {
  const endMs = performance.now() + patienceMs;
  while (performance.now() < endMs && child.exitCode === null && child.signalCode === null) {
    if (await isReady(url)) return true;
    await sleep(50);
  }
  return false;
}

/** The answers of one request a seed; undefined for one that failed. */
async function answersOf(url: string): Promise<(string | undefined)[]> {
  const messages = [{ role: "user", content: "My plush bear Bruno is dusty. How do I wash him?" }];
  return Promise.all(
    seeds.map(async (seed) => {
      const body = JSON.stringify({ model: "teddy-sft", messages, seed, n: 2, max_tokens: 48, temperature: 1 });
      const request = { method: "POST", headers: { "content-type": "application/json" }, body, signal: AbortSignal.timeout(patienceMs) };
      try {
        const response = await fetch(`${url}/v1/chat/completions`, request);
        const { choices } = (await response.json()) as { choices?: { message: { content: string } }[] };
        return choices && JSON.stringify(choices.map(({ message }) => message.content));
      } catch {
        return undefined;
      }
    }),
  );
}

const scratchIn = (cacheDir: string): string[] =>
  existsSync(cacheDir) ? readdirSync(cacheDir).filter((name) => name.startsWith("making-")) : [];

/**
 * @param victim the server, whose successor is compared, or its compute worker, after whose death the same server is
 * @param folder where the undisturbed server keeps its cache
 */
export function serving(
  victim: "server" | "worker",
  model: string,
  folder: string,
  environment: Readonly<Record<string, string>>,
): Scenario {
  const warmCache = join(folder, `serving-${victim}-cache`);
  let right: (string | undefined)[] = [];
  let durationMs = 0;

  const compared = async (url: string): Promise<string[]> => {
    const found = await answersOf(url);
    return seeds.flatMap((seed, at) =>
      found[at] === right[at] ? [] : `The answers to seed ${seed} are ${found[at] === undefined ? "missing" : "others"}.`,
    );
  };
  const stop = async ({ child, ended }: Server): Promise<string[]> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    const status = await ended;
    clearTimeout(timer);
    return status === 0 ? [] : [`A server that was told to stop ended with status ${status}.`];
  };

  /** Kills the server at any moment from its start on, and asks another one over the same cache. */
  const killServer = async (draw: Draw, cacheDir: string): Promise<RoundOutcome> => {
    const first = await startServer(model, cacheDir, environment);
    void becomesReady(first).then(async (ready) => ready && answersOf(first.url));
    await sleep(draw(1) * durationMs);
    first.child.kill("SIGKILL");
    await first.ended;
    const second = await startServer(model, cacheDir, environment);
    const losses = (await becomesReady(second))
      ? await compared(second.url)
      : [`The next server did not start: ${second.output().slice(-500)}`];
    losses.push(...(await stop(second)), ...scratchIn(cacheDir).map((name) => `${name} was left in the cache.`));
    return { kills: 1, losses };
  };

  /** Kills the worker at any moment from the server's readiness on, and asks the same server again. */
  const killWorker = async (draw: Draw, cacheDir: string): Promise<RoundOutcome> => {
    const server = await startServer(model, cacheDir, environment);
    if (!(await becomesReady(server))) return { kills: 0, losses: [`The server did not start: ${server.output().slice(-500)}`] };
    const running = answersOf(server.url);
    await sleep(draw(1) * 1000);
    const workers = childrenOf(server.child.pid!);
    for (const worker of workers) process.kill(worker, "SIGKILL");
    await running;
    // The server is asked again once it can have noticed.
    while (childrenOf(server.child.pid!).some((worker) => workers.includes(worker))) await sleep(20);
    const losses = workers.length === 0 ? ["The server has no worker."] : [];
    losses.push(...((await becomesReady(server)) ? await compared(server.url) : ["The server did not become ready again."]));
    losses.push(...(await stop(server)), ...scratchIn(cacheDir).map((name) => `${name} was left in the cache.`));
    return { kills: workers.length, losses };
  };

  return {
    name: `serving, the ${victim} killed`,
    about:
      victim === "server"
        ? "while it prepares a model, loads it or answers; the next server over the same cache gives the same answers"
        : "while it answers; the same server is ready again and gives the same answers",
    async prepare(): Promise<void> {
      const startMs = performance.now();
      const server = await startServer(model, warmCache, environment);
      if (!(await becomesReady(server))) throw new Error(`The server did not start: ${server.output().slice(-2000)}`);
      right = await answersOf(server.url);
      durationMs = performance.now() - startMs;
      await stop(server);
      if (right.includes(undefined)) throw new Error("The undisturbed server did not answer.");
    },
    async round(draw, output): Promise<RoundOutcome> {
      const cacheDir = join(output, "cache");
      if (draw(0) < 0.5) cpSync(warmCache, cacheDir, { recursive: true });
      return victim === "server" ? killServer(draw, cacheDir) : killWorker(draw, cacheDir);
    },
  };
}
