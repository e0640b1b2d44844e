/** @file The program itself as a child process, as a person starts it, for end-to-end tests. */

import { constants } from "node:os";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const mainModule = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface Program {
  child: ChildProcess;
  /** All output so far. */
  output: { stdout: string; stderr: string };
  /** Resolves when the process has gone. */
  ended: Promise<Ended>;
}

/** Starts `bonsai ARGUMENTS`. The environment's own options do not reach it. */
export function startProgram(args: readonly string[], environment: Record<string, string> = {}): Program {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("BONSAI_") && !name.startsWith("NODE_TEST"));
  const child = spawn(process.execPath, ["--import", "tsx", mainModule, ...args], {
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const ended = once(child, "close").then(([status, signal]) => ({
    status: exitStatus(status as number | null, signal as NodeJS.Signals | null),
    ...output,
  }));
  return { child, output, ended };
}

/** Runs `bonsai ARGUMENTS` to its end. */
export const runProgram = async (args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> =>
  startProgram(args, environment).ended;

export interface RunningServer extends Program {
  /** Base URL, such as http://127.0.0.1:1234. */
  url: string;
  /** Asks the server to stop and waits until it has. */
  stop: (signal?: NodeJS.Signals) => Promise<Ended>;
}

/**
 * Starts `bonsai serve` on a free port and waits until it says where, and, unless told otherwise, until it is ready.
 */
export async function startServeProgram(
  args: readonly string[],
  options: { environment?: Record<string, string>; awaitsModels?: boolean } = {},
): Promise<RunningServer> {
  // The tests run on every core already, and idle compute threads wait in a loop.
  const program = startProgram(["serve", "--port", "0", "--threads", "1", ...args], options.environment);
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> => {
    program.child.kill(signal);
    return program.ended;
  };
  let hasEnded = false;
  void program.ended.then(() => {
    hasEnded = true;
  });
  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(program.output.stderr);
      if (match !== null) return match;
      if (hasEnded) throw new Error(`The server ended before it said ${pattern}: ${program.output.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const url = (await says(/listens on (http:\/\/[^;\s]+)/))[1]!;
  if (options.awaitsModels !== false) await says(/Ready after/);
  return { ...program, url, stop };
}

/** As shells report it: 128 and the signal's number for a process that a signal ended. */
function exitStatus(status: number | null, signal: NodeJS.Signals | null): number | null {
  return signal === null ? status : 128 + constants.signals[signal];
}
