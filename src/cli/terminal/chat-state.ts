/** @file The state of a chat in the terminal: messages, settings, and the commands that change them. Pure. */

import type { Strategy } from "../../best-of-n/options.ts";
import { strategies } from "../../protocol/wire/best-of-request.ts";
import { didYouMean } from "../../config/suggestion.ts";
import type { Message } from "../../text/conversation/message.ts";

export interface ChatSettings {
  model: string;
  system: string | undefined;
  /** Candidates of each answer; 1 samples one and chooses nothing. */
  bestOf: number;
  /** The server's own choice when undefined. */
  rewardModel: string | undefined;
  strategy: Strategy | undefined;
  temperature: number | undefined;
  maxTokens: number | undefined;
  seed: number | undefined;
}

export interface ChatState {
  settings: ChatSettings;
  history: readonly Message[];
}

/** The result of a command. */
export interface CommandResult {
  state: ChatState;
  /** Lines to print. */
  say: string;
  leaves: boolean;
}

export const commandHelp = `/model [NAME]      answer with another model, or list those that are served
/best N            sample N answers and keep the best (1: just answer)
/reward [NAME]     the reward model that chooses; without a name the server's own choice
/strategy [NAME]   ${strategies.join(", ")}; without a name the server's own choice
/system [TEXT]     a system message before everything, or none
/temperature X, /max-tokens N, /seed N   of the answers that follow; without a number as the server has it
/history           all that was said
/undo              take back the last question and its answer
/clear             begin a new conversation
/exit              leave (or Ctrl-D)
Ctrl-C ends an answer that runs, and what it has said so far is not kept.`;

const names = [
  "model",
  "best",
  "reward",
  "strategy",
  "system",
  "temperature",
  "max-tokens",
  "seed",
  "history",
  "undo",
  "clear",
  "exit",
  "help",
];

/** Whether a line is a command: it begins with a slash. */
export const isCommand = (line: string): boolean => line.startsWith("/");

/**
 * Runs a command line.
 * @param served Ids of the policies that may be chosen.
 */
export function obey(line: string, state: ChatState, served: readonly string[]): CommandResult {
  const [, name = "", rest = ""] = /^\/(\S*)\s*([^]*)$/.exec(line) ?? [];
  const argument = rest.trim();
  const unchanged = (say: string): CommandResult => ({ state, say, leaves: false });
  const set = (changes: Partial<ChatSettings>, say: string): CommandResult => ({
    state: { ...state, settings: { ...state.settings, ...changes } },
    say,
    leaves: false,
  });
  switch (name) {
    case "help":
      return unchanged(commandHelp);
    case "exit":
      return { state, say: "", leaves: true };
    case "model":
      if (argument === "") return unchanged(served.map((id) => `${id === state.settings.model ? "*" : " "} ${id}`).join("\n"));
      if (!served.includes(argument)) return unchanged(`There is no model ${argument}.${didYouMean(argument, served)} /model lists them.`);
      return set({ model: argument }, `${argument} answers from now on.`);
    case "best":
      return number(argument, 1, true, (bestOf) =>
        set({ bestOf: bestOf ?? 1 }, (bestOf ?? 1) === 1 ? "One answer each." : `The best of ${bestOf} each.`),
      );
    case "reward":
      return set({ rewardModel: argument || undefined }, argument === "" ? "The server chooses the reward model." : `${argument} chooses.`);
    case "strategy": {
      const strategy = strategies.find((known) => known === argument);
      if (argument !== "" && strategy === undefined) return unchanged(`The strategies are ${strategies.join(", ")}.`);
      return set({ strategy }, argument === "" ? "The server chooses the strategy." : `Chosen by ${argument}.`);
    }
    case "system":
      return set({ system: argument || undefined }, argument === "" ? "No system message." : "The system message is set.");
    case "temperature":
      return number(argument, 0, false, (temperature) => set({ temperature }, "Set."));
    case "max-tokens":
      return number(argument, 1, true, (maxTokens) => set({ maxTokens }, "Set."));
    case "seed":
      return number(argument, 0, true, (seed) =>
        set({ seed }, seed === undefined ? "Every answer has a seed of its own." : `Seed ${seed}.`),
      );
    case "history":
      return unchanged(state.history.map(({ role, content }) => `${role}: ${content}`).join("\n") || "Nothing was said yet.");
    case "undo":
      return { state: { ...state, history: state.history.slice(0, -2) }, say: "Taken back.", leaves: false };
    case "clear":
      return { state: { ...state, history: [] }, say: "A new conversation.", leaves: false };
    default:
      return unchanged(`There is no command /${name}.${didYouMean(name, names)} /help lists them.`);
  }

  function number(text: string, least: number, isWhole: boolean, use: (value: number | undefined) => CommandResult): CommandResult {
    if (text === "") return use(undefined);
    const value = Number(text);
    if (Number.isFinite(value) && value >= least && (!isWhole || Number.isSafeInteger(value))) return use(value);
    return unchanged(`/${name} takes a ${isWhole ? "whole " : ""}number of at least ${least}.`);
  }
}

/** The request for an answer to the conversation. */
export function requestBody({ settings, history }: ChatState): Record<string, unknown> {
  const { model, system, bestOf, rewardModel, strategy, temperature, maxTokens, seed } = settings;
  const options = { ...(rewardModel === undefined ? {} : { reward_model: rewardModel }), ...(strategy === undefined ? {} : { strategy }) };
  return {
    model,
    messages: [...(system === undefined ? [] : [{ role: "system", content: system }]), ...history],
    ...(bestOf > 1 ? { best_of: bestOf, best_of_options: options } : {}),
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    ...(seed === undefined ? {} : { seed }),
  };
}
