/** @file Starts a health probe in a process of its own, so that what this process computes delays no answer. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Probe {
  /** Ends the probe: milliseconds of every answer. */
  stop(): Promise<number[]>;
}

/** Resolves once the probe asks. */
export async function startProbe(url: string): Promise<Probe> {
  const file = fileURLToPath(new URL("./health-probe.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", file, url], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  await once(child.stdout, "data");
  return {
    stop: async () => {
      const gone = once(child, "close");
      child.kill("SIGTERM");
      await gone;
      return JSON.parse(output) as number[];
    },
  };
}
