/** @file A server in a process of its own, as a person starts it: ours or a peer's. */

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { projectRoot } from "../../src/catalog/project-root.ts";

export interface ServerProcess {
  /** The address, without a slash at the end. */
  url: string;
  pid: number;
  /** Time from the start of the process to the first answer that says it is ready. */
  readyMs: number;
  stop(): Promise<void>;
}

/** Compiles the program as `npm start` does. */
export function buildProgram(): void {
  const compiler = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"];
  execFileSync(process.execPath, compiler, { cwd: projectRoot(), stdio: "inherit" });
}

/** Arguments of `node` that run the program: as `buildProgram` has compiled it, or from the sources. */
const programs = { compiled: ["dist/src/cli/main.js"], source: ["--import", "tsx", "src/cli/main.ts"] };

/** Starts `bonsai serve` with these flags on a free port; `buildProgram` must come before a compiled one. */
export async function startBonsai(flags: readonly string[], program: keyof typeof programs = "compiled"): Promise<ServerProcess> {
  const port = await freePort();
  const parameters = [...programs[program], "serve", "--port", String(port), "--log-level", "error", ...flags];
  return startServer(process.execPath, parameters, `http://127.0.0.1:${port}`, "/health/ready");
}

/** Starts a program that listens on `url`, and waits until `readyPath` answers 200. */
export async function startServer(program: string, parameters: readonly string[], url: string, readyPath: string): Promise<ServerProcess> {
  const startMs = performance.now();
  const child = spawn(program, parameters, { cwd: projectRoot(), stdio: ["ignore", "ignore", "pipe"] });
  let lastOutput = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (lastOutput = (lastOutput + text).slice(-4000)));
  const failed = new Promise<never>((_, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => reject(new Error(`${program} ${parameters.join(" ")} ended (${code ?? signal}):\n${lastOutput}`)));
  });
  // Nobody waits for it once the server is up: `stop` ends the process on purpose.
  failed.catch(() => {});
  await Promise.race([untilReady(url + readyPath), failed]);
  return { url, pid: child.pid as number, readyMs: performance.now() - startMs, stop: async () => stopChild(child) };
}

async function untilReady(url: string): Promise<void> {
  const pauseMs = 10;
  for (;;) {
    const status = await fetch(url).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => undefined,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const patienceMs = 10_000;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const cut = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  await gone;
  clearTimeout(cut);
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
