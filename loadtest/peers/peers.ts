/** @file Other engines that can be measured: each samples a number of answers to a question, in its own way. */

import { availableParallelism } from "node:os";
import type { AnswerProcess } from "./answer-process.ts";
import { findGenai, startGenai } from "./genai.ts";
import { findLlama, startLlamaServer, type Llama } from "./llama.ts";
import { findTransformersJs, startTransformersJs } from "./transformers-js.ts";
import { postJson } from "../drivers/post.ts";

/** The work of every engine, ours too. */
export const peerCandidates = 16;
export const peerTokens = 128;

/** Tokens of context of one slot of llama-server: prompt and answer. */
const slotTokens = 256;

/** An installed engine. */
export interface Peer {
  /** Its name in tables. */
  name: string;
  version: string;
  /** How it answers, for the report; engines that answer alike have the same text. */
  way: string;
  /** @param smolLM2 path of the GGUF file, for engines that read it */
  start: (smolLM2: string) => Promise<RunningPeer>;
}

export interface RunningPeer {
  /** Sampled texts of `peerTokens` tokens each. */
  answers: (question: string, count: number, signal: AbortSignal) => Promise<string[]>;
  stop: () => Promise<void>;
}

/** The installed engines. For each other one, `say` gets a line about what to install. */
export function findPeers(say: (line: string) => void): Peer[] {
  const [llama, genai, transformersJs] = [findLlama(say), findGenai(say), findTransformersJs(say)];
  const batched =
    "Weights in 4 bits that were made from the file that we serve, all answers sampled as one batch among the 50 most likely tokens";
  const peers: (Peer | undefined)[] = [
    llama && {
      name: "llama-server",
      version: llama.version,
      way: "The file that we serve, a slot for each answer, all of them requested at one time",
      start: async (smolLM2) => startLlama(llama, smolLM2),
    },
    genai && { name: "onnxruntime-genai", version: genai.version, way: batched, start: async () => asPeer(await startGenai(genai)) },
    transformersJs && {
      name: "transformers.js",
      version: transformersJs.version,
      way: batched,
      start: async () => asPeer(await startTransformersJs(transformersJs)),
    },
  ];
  return peers.filter((peer) => peer !== undefined);
}

async function startLlama(llama: Llama, model: string): Promise<RunningPeer> {
  const contextTokens = peerCandidates * slotTokens;
  const server = await startLlamaServer(llama, { model, threads: availableParallelism(), slots: peerCandidates, contextTokens });
  return {
    answers: async (question, count, signal) =>
      Promise.all(Array.from({ length: count }, async (_, index) => askForPeerWork(server.url, question, { seed: index + 1 }, signal))),
    stop: async () => server.stop(),
  };
}

function asPeer({ answers, stop }: AnswerProcess): RunningPeer {
  return {
    answers: async (question, count, signal) => {
      signal.throwIfAborted();
      // Nothing else interrupts a batch. The pending request then fails, as the process has ended.
      const onAbort = (): void => void stop();
      signal.addEventListener("abort", onAbort);
      return answers({ question, count, tokens: peerTokens, seed: 1 }).finally(() => signal.removeEventListener("abort", onAbort));
    },
    stop,
  };
}

/** Asks a server of the OpenAI protocol for the work that is compared. @returns the first answer */
export async function askForPeerWork(url: string, question: string, extra: object, signal: AbortSignal): Promise<string> {
  const body = {
    messages: [{ role: "user", content: question }],
    max_tokens: peerTokens,
    ignore_eos: true,
    temperature: 1,
    seed: 1,
    ...extra,
  };
  const { choices } = (await postJson(`${url}/v1/chat/completions`, body, signal)) as { choices: { message: { content: string } }[] };
  return choices[0]!.message.content;
}
