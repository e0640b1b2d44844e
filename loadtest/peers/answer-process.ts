/**
 * @file A peer that is a library, in a process of its own: a JSON line asks it for answers, a JSON line gives them
 * back.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A request for sampled answers. */
export interface AnswersWanted {
  question: string;
  /** How many answers are sampled. */
  count: number;
  /** Tokens of each answer; an end of sequence does not end it. */
  tokens: number;
  seed: number;
}

export interface AnswerProcess {
  /** One request at a time. @throws Error with its last output where the process has ended */
  answers: (wanted: AnswersWanted) => Promise<string[]>;
  stop: () => Promise<void>;
}

const longestOutput = 4000;

/**
 * Starts a program and waits for its first line, which says that the model is loaded. What it prints beside lines of
 * JSON is not read.
 */
export async function startAnswerProcess(program: string, words: readonly string[]): Promise<AnswerProcess> {
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] });
  let lastOutput = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (lastOutput = (lastOutput + text).slice(-longestOutput)));
  const ended = new Promise<never>((_, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => reject(new Error(`${program} ${words.join(" ")} ended (${code ?? signal}):\n${lastOutput}`)));
  });
  // Nobody waits for it between requests: `stop` ends the process on purpose.
  ended.catch(() => {});
  // A broken pipe is reported by the end of the process.
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout });
  let receive: (line: string) => void = () => {};
  lines.on("line", (line) => line.startsWith("{") && receive(line));
  const nextLine = async (): Promise<string> => Promise.race([new Promise<string>((resolve) => (receive = resolve)), ended]);
  await nextLine();
  return {
    answers: async (wanted) => {
      const answered = nextLine();
      child.stdin.write(`${JSON.stringify(wanted)}\n`);
      return (JSON.parse(await answered) as { texts: string[] }).texts;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "close");
      child.kill("SIGTERM");
      await gone;
    },
  };
}
