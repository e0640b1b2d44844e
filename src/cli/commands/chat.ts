/** @file `npm run chat`: a conversation with a server in the terminal, over WebSocket. */

import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { boardSummary, CandidateBoard } from "../terminal/candidate-board.ts";
import { ChatLink, servedPolicies } from "../terminal/chat-link.ts";
import { commandHelp, isCommand, obey, requestBody, type ChatSettings, type ChatState } from "../terminal/chat-state.ts";
import { parseArguments } from "./command-arguments.ts";
import type { ProgressStream } from "../../progress/progress.ts";

const help = `Talk to a server in the terminal.

Usage: npm run chat -- [--url URL] [--model NAME] [--best-of N] [OPTIONS]

  --url URL            of the server (default http://127.0.0.1:8000)
  --model NAME         of a model that it serves (default its first that can chat)
  --best-of N          sample N answers and keep the best (default 1)
  --reward-model NAME  that chooses among them (default the server's own choice)
  --system TEXT        a system message before everything
  --seed N             same questions and seed, same answers
  --help, -h

The key of a server that asks for one is taken from BONSAI_API_KEY. In the conversation:

${commandHelp}`;

const flags = {
  help: { type: "boolean", short: "h" },
  url: { type: "string", default: "http://127.0.0.1:8000" },
  model: { type: "string" },
  "best-of": { type: "string" },
  "reward-model": { type: "string" },
  system: { type: "string" },
  seed: { type: "string" },
} as const;

/** Where a conversation is held. */
export interface ChatTerminal {
  input: Readable;
  output: Writable & ProgressStream;
  environment: Readonly<Record<string, string | undefined>>;
}

/** @returns the exit status: 0, 1 when the server is lost, 2 for wrong usage. */
export async function runChatCommand(args: readonly string[], terminal: ChatTerminal): Promise<number> {
  const { output } = terminal;
  try {
    const { values, positionals } = parseArguments(args, flags);
    if (values.help === true) {
      output.write(`${help}\n`);
      return 0;
    }
    if (positionals.length > 0) throw new BonsaiError("usage", `"${positionals[0]}" is not a flag. See --help.`);
    const options = { url: values.url.replace(/\/+$/, "").replace(/\/v1$/, ""), apiKey: terminal.environment["BONSAI_API_KEY"] };
    if (!/^https?:\/\/[^/]/.test(options.url))
      throw new BonsaiError("usage", `--url is ${JSON.stringify(values.url)}; it must begin with http://.`);
    const bestOf = wholeNumber(values["best-of"], "--best-of", 1) ?? 1;
    const seed = wholeNumber(values.seed, "--seed", 0);
    const served = await servedPolicies(options);
    const model = values.model ?? served[0];
    if (model === undefined) throw new BonsaiError("upstream_failed", `${options.url} serves no model that can chat.`);
    const settings: ChatSettings = {
      model,
      system: values.system,
      bestOf,
      rewardModel: values["reward-model"],
      strategy: undefined,
      temperature: undefined,
      maxTokens: undefined,
      seed,
    };
    const link = await ChatLink.open(options);
    try {
      await converse(link, { settings, history: [] }, served, terminal);
    } finally {
      link.close();
    }
    return 0;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    console.error(`chat: ${error.message}`);
    return error.code === "usage" ? 2 : 1;
  }
}

function wholeNumber(text: string | undefined, flag: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
  throw new BonsaiError("usage", `${flag} is ${JSON.stringify(text)}; it must be a whole number of at least ${least}.`, { param: flag });
}

/** Questions and answers until the input ends. Throws `upstream_failed` when the connection does. */
async function converse(link: ChatLink, begun: ChatState, served: readonly string[], { input, output }: ChatTerminal): Promise<void> {
  let state = begun;
  let cancel: (() => void) | undefined;
  const isTerminal = output.isTTY === true;
  const lines = createInterface({ input, output, terminal: isTerminal, prompt: isTerminal ? "> " : "" });
  const interrupt = (): void => {
    if (cancel === undefined) lines.close();
    else cancel();
  };
  // A terminal in raw mode hands Ctrl-C over as a key; elsewhere it is a signal.
  lines.on("SIGINT", interrupt);
  process.on("SIGINT", interrupt);
  try {
    if (isTerminal) output.write(`${state.settings.model} answers. /help lists what else there is.\n`);
    lines.prompt();
    for await (const line of lines) {
      if (isCommand(line)) {
        const { state: next, say, leaves } = obey(line, state, served);
        state = next;
        if (leaves) break;
        output.write(`${say}\n`);
      } else if (line.trim() !== "") {
        const asked: ChatState = { ...state, history: [...state.history, { role: "user", content: line }] };
        const answer = link.ask(requestBody(asked));
        cancel = answer.cancel;
        const content = await show(answer.frames, output);
        cancel = undefined;
        if (content !== undefined) state = { ...asked, history: [...asked.history, { role: "assistant", content }] };
        if (!link.isOpen) throw new BonsaiError("upstream_failed", "The connection to the server is closed.");
      }
      lines.prompt();
    }
  } finally {
    process.off("SIGINT", interrupt);
    lines.close();
  }
}

/** Writes an answer as it comes. @returns its text, or undefined for one that was cancelled or failed, which the person is told */
async function show(frames: ReturnType<ChatLink["ask"]>["frames"], output: ChatTerminal["output"]): Promise<string | undefined> {
  const board = new CandidateBoard(output);
  let content = "";
  try {
    for await (const frame of frames) {
      if (frame.type === "chat.completion.progress") {
        board.draw(frame.best_of);
        continue;
      }
      board.erase();
      if (frame.type === "chat.completion.done") {
        output.write(frame.best_of === undefined ? "\n" : `\n${boardSummary(frame.best_of)}\n`);
        continue;
      }
      for (const { delta } of frame.choices) {
        content += delta.content ?? "";
        output.write(printable(delta.content ?? ""));
      }
    }
    return content;
  } catch (error) {
    if (!(error instanceof BonsaiError)) throw error;
    board.erase();
    output.write(`${content === "" ? "" : "\n"}[${error.code === "cancelled" ? "cancelled" : error.message}]\n`);
    return undefined;
  }
}

/** A model's text moves no cursor: control characters other than line breaks and tabs are left out. */
export const printable = (text: string): string => text.replaceAll(/(?![\n\t])\p{Cc}/gu, "");
