/** @file `npm run chat`: a conversation with a server in the terminal, over WebSocket. */

import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { Type, type Static } from "typebox";
import { annotations } from "../../config/option.ts";
import { BonsaiError } from "../../errors/bonsai-error.ts";
import { boardSummary, CandidateBoard } from "../terminal/candidate-board.ts";
import { ChatLink, servedPolicies } from "../terminal/chat-link.ts";
import { commandHelp, isCommand, obey, requestBody, type ChatSettings, type ChatState } from "../terminal/chat-state.ts";
import { runCommand, type Command } from "../run-command.ts";
import type { ProgressStream } from "../../progress/progress.ts";

const annotate = annotations<"Options">();

const ChatSchema = Type.Object({
  url: Type.String({
    pattern: "^https?://[^/]",
    ...annotate({
      group: "Options",
      metavar: "URL",
      values: "an address that begins with http:// or https://",
      description: "Address of the server",
      default: "http://127.0.0.1:8000",
    }),
  }),
  model: Type.Optional(
    Type.String(
      annotate({
        group: "Options",
        metavar: "NAME",
        description: "A model that the server has",
        defaultText: "the first one that can chat",
      }),
    ),
  ),
  bestOf: Type.Integer({
    minimum: 1,
    ...annotate({ group: "Options", description: "Sample this many answers and keep the best", default: 1 }),
  }),
  rewardModel: Type.Optional(
    Type.String(
      annotate({
        group: "Options",
        metavar: "NAME",
        description: "The reward model that chooses among them",
        defaultText: "the server's own choice",
      }),
    ),
  ),
  system: Type.Optional(
    Type.String(annotate({ group: "Options", metavar: "TEXT", description: "A system message before everything else" })),
  ),
  seed: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      ...annotate({
        group: "Options",
        description: "The same questions and seed give the same answers",
        defaultText: "another one for each answer",
      }),
    }),
  ),
});

/** Where a conversation is held. */
export interface ChatTerminal {
  input: Readable;
  output: Writable & ProgressStream;
  environment: Readonly<Record<string, string | undefined>>;
}

/** @returns the exit status: 0, 1 when the server is lost, 2 for wrong usage. */
export async function runChatCommand(args: readonly string[], terminal: ChatTerminal): Promise<number> {
  const chat: Command<typeof ChatSchema> = {
    name: "chat",
    about: "Talk to a server in the terminal.",
    usage: ["[--url URL] [--model NAME] [--best-of N] [options]"],
    schema: ChatSchema,
    notes: [`The key of a server that asks for one is taken from BONSAI_API_KEY. In the conversation:\n\n${commandHelp}`],
    run: async (options) => openConversation(options, terminal),
  };
  return runCommand(chat, args, (text) => terminal.output.write(`${text}\n`));
}

async function openConversation(options: Static<typeof ChatSchema>, terminal: ChatTerminal): Promise<void> {
  const { system, bestOf, rewardModel, seed } = options;
  const server = { url: options.url.replace(/\/+$/, "").replace(/\/v1$/, ""), apiKey: terminal.environment["BONSAI_API_KEY"] };
  const served = await servedPolicies(server);
  const model = options.model ?? served[0];
  if (model === undefined) throw new BonsaiError("upstream_failed", `${server.url} serves no model that can chat.`);
  const settings: ChatSettings = {
    model,
    system,
    bestOf,
    rewardModel,
    strategy: undefined,
    temperature: undefined,
    maxTokens: undefined,
    seed,
  };
  const link = await ChatLink.open(server);
  try {
    await converse(link, { settings, history: [] }, served, terminal);
  } finally {
    link.close();
  }
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

/**
 * Writes an answer as it comes. @returns its text, or undefined for one that was cancelled or failed, which the person
 * is told
 */
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
        output.write(withoutControls(delta.content ?? ""));
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
export const withoutControls = (text: string): string => text.replaceAll(/(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "");
