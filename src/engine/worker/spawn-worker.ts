/** @file Starts a module of this program in a thread, compiled or from source, as the program itself runs. */

import { Worker } from "node:worker_threads";
import { turnTelemetryOff } from "../../runtime/telemetry.ts";

/** @param module the module's path from this folder, without its extension */
export function spawnWorker(module: string, workerData: unknown): Worker {
  turnTelemetryOff();
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL(`${module}.js`, import.meta.url), { workerData, name: "compute" });
  // On Node 20 a thread does not take over the loader that runs TypeScript from source, so it registers its own.
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const entry = JSON.stringify(new URL(`${module}.ts`, import.meta.url).href);
  return new Worker(`import(${loader}).then(({ register }) => { register(); return import(${entry}); })`, {
    eval: true,
    workerData,
    name: "compute",
  });
}
