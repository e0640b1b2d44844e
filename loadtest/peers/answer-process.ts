/** @file A peer that is a library, in a process of its own: a JSON line asks it for answers, a JSON line gives them back. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** What a peer is asked for. */
export interface AnswersWanted {
  question: string;
  /** Sampled for the one question. */
  count: number;
  /** Of each answer, past any end of sequence. */
  tokens: number;
  seed: number;
}

export interface AnswerProcess {
  /** One request at a time. @throws Error with its last words where it has ended */
  answers: (wanted: AnswersWanted) => Promise<string[]>;
  stop: () => Promise<void>;
}

const longestLastWords = 4000;

/** Starts a program and waits for its first line, which says that the model is loaded. What it prints beside lines of JSON is not read. */
export async function startAnswerProcess(program: string, words: readonly string[]): Promise<AnswerProcess> {
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] });
  let lastWords = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (lastWords = (lastWords + text).slice(-longestLastWords)));
  const ended = new Promise<never>((_, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => reject(new Error(`${program} ${words.join(" ")} ended (${code ?? signal}):\n${lastWords}`)));
  });
  // Unheard while nobody waits: `stop` ends it on purpose.
  ended.catch(() => {});
  // A broken pipe is told by the end of the process.
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout });
  let hear: (line: string) => void = () => {};
  lines.on("line", (line) => line.startsWith("{") && hear(line));
  const nextLine = async (): Promise<string> => Promise.race([new Promise<string>((resolve) => (hear = resolve)), ended]);
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
