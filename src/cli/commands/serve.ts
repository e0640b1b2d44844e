/** @file `bonsai serve`: listens at once, loads the models, answers until it is told to stop. */

import type { AddressInfo } from "node:net";
import { helpText, publicConfig } from "../../config/describe.ts";
import { loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/options.ts";
import type { Engine, ModelInfo } from "../../engine/contract/request.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { buildServer, type BonsaiServer } from "../../server/build-server.ts";
import { listen } from "../../server/listen.ts";
import { programVersion } from "../../catalog/project-root.ts";
import { printable } from "../../errors/printable.ts";
import { logDestination } from "../terminal/log-destination.ts";
import { stopSignal } from "../../progress/stop-signal.ts";

/** Loads the configured models; `log` takes lines for the person who waits. */
export type StartEngine = (config: Config, log: (line: string) => void) => Promise<Engine>;

/** Lines for people go to stderr: stdout has the log. */
const say = (line: string): void => {
  process.stderr.write(`${printable(line, { keepLines: true })}\n`);
};

/**
 * Runs the server until SIGINT or SIGTERM.
 * @param args Words after `serve`.
 * @returns the exit status: 0 after an orderly stop, 1 when the server or its models could not start or the compute
 * worker failed too often, 2 for wrong usage.
 */
export async function runServeCommand(args: readonly string[], startEngine: StartEngine): Promise<number> {
  try {
    const invocation = loadConfig(args, process.env);
    if (invocation.kind === "help") process.stdout.write(helpText());
    else if (invocation.kind === "version") process.stdout.write(`${programVersion()}\n`);
    else {
      for (const warning of invocation.warnings) say(`Warning: ${warning}`);
      await serve(invocation.config, startEngine);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    say(`serve: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}

async function serve(config: Config, startEngine: StartEngine): Promise<void> {
  const started = performance.now();
  const stop = stopSignal("Stopped at once: requests that ran are cut.");
  // Models load only once the address is known to be free, so that a port in use is told at once.
  let beginLoading!: () => void;
  const engine = new Promise<void>((resolve) => {
    beginLoading = resolve;
  }).then(() => startEngine(config, say));
  const server = await buildServer(config, engine, programVersion(), logDestination(config.logFormat, process.stdout));
  server.fastify.log.info({ config: publicConfig(config) }, "configuration");
  const url = await openPort(server, config);
  say(`Bonsai ${programVersion()} listens on ${url}; the models are loading.`);
  if (!isLoopback(config.host) && config.apiKey.length === 0)
    say("Warning: others on the network can use this server; --api-key asks them for a key.");
  beginLoading();
  try {
    const loaded = await Promise.race([engine, stop.requested]);
    if (loaded !== undefined) {
      say(startupBlock(url, loaded.models, (performance.now() - started) / 1000, config.apiKey.length > 0));
      const lost = await Promise.race([loaded.lost, stop.requested]);
      if (lost !== undefined) throw lost;
    }
    say("Stopping: requests that run may finish; a second signal, more than a second after the first, stops at once.");
    if (!(await server.shutDown())) say("The grace period ended before all requests did; the rest was cut.");
    // A model that is still being fetched or read would keep the process alive until it has come.
    if (loaded === undefined) process.exit(0);
    await loaded.close();
  } catch (error) {
    await server.fastify.close();
    throw error;
  } finally {
    stop.release();
  }
}

/** @returns the server's URL */
async function openPort(server: BonsaiServer, config: Config): Promise<string> {
  try {
    await listen(server.fastify, config.host, config.port);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason =
      code === "EADDRINUSE"
        ? "the port is in use; stop what uses it, or choose another with --port"
        : code === "EACCES"
          ? "the system does not permit it; choose a port above 1023 with --port"
          : message;
    throw new BonsaiError("listen_failed", `Cannot listen on ${config.host}:${config.port}: ${reason}.`, { cause: error });
  }
  const { address, port, family } = server.fastify.server.address() as AddressInfo;
  const host = address === "0.0.0.0" || address === "::" ? "localhost" : family === "IPv6" ? `[${address}]` : address;
  return `http://${host}:${port}`;
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.");

/** What a person sees when the server is ready, with a command to try. */
export function startupBlock(url: string, models: readonly ModelInfo[], seconds: number, asksForKey: boolean): string {
  const first = models.find((model) => model.kind === "policy" && model.hasChatTemplate) ?? models.find((model) => model.kind === "policy");
  const lines = ["", `Ready after ${seconds.toFixed(1)} s.`, ""];
  for (const model of models)
    lines.push(`  ${model.id}   ${model.kind}, ${model.quantization} on ${model.device}, context of ${model.contextLength} tokens`);
  if (first !== undefined) {
    const [path, body] = first.hasChatTemplate
      ? [
          "/v1/chat/completions",
          { model: first.id, messages: [{ role: "user", content: "My mohair bear Bruno has ink on his paw. How do I get it out?" }] },
        ]
      : ["/v1/completions", { model: first.id, prompt: "Once upon a time" }];
    const key = asksForKey ? " -H 'authorization: Bearer YOUR_KEY'" : "";
    lines.push("", "Try:", `  curl ${url}${path} -H 'content-type: application/json'${key} \\`, `    -d '${JSON.stringify(body)}'`);
  }
  lines.push("", `Routes: ${url}/docs    OpenAI clients: baseURL ${url}/v1`, "");
  return lines.join("\n");
}
