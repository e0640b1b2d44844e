/**
 * @file A process that asks one URL again and again until it is told to stop, and prints how long each answer took:
 * `health-probe.ts URL`.
 */

import { Agent, get } from "node:http";

/** Between an answer and the next question. */
const pauseMs = 5;

const [url] = process.argv.slice(2);
if (url === undefined) throw new Error("Usage: health-probe.ts URL");
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const answersMs: number[] = [];
const told = new AbortController();
process.on("SIGTERM", () => told.abort());
process.stdout.write("\n");
while (!told.signal.aborted) {
  answersMs.push(await ask(url));
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
process.stdout.write(`${JSON.stringify(answersMs)}\n`);
agent.destroy();

async function ask(target: string): Promise<number> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    get(target, { agent }, (response) => {
      response.resume();
      response.on("end", () => {
        if (response.statusCode === 200) resolve(performance.now() - startMs);
        else reject(new Error(`${target} answered ${response.statusCode}.`));
      });
    }).on("error", reject);
  });
}
