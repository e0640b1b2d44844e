/** @file Engines beside us that can be measured: each asked for so many sampled answers to a question, its own way. */

import { availableParallelism } from "node:os";
import type { AnswerProcess } from "./answer-process.ts";
import { findGenai, startGenai } from "./genai.ts";
import { findLlama, startLlamaServer, type Llama } from "./llama.ts";
import { findTransformersJs, startTransformersJs } from "./transformers-js.ts";
import { postJson } from "../drivers/post.ts";

/** Everybody's: ours too. */
export const peerCandidates = 16;
export const peerTokens = 128;

/** Of one slot of llama-server: prompt and answer. */
const slotTokens = 256;

/** One that is installed. */
export interface Peer {
  /** As tables name it. */
  name: string;
  version: string;
  /** How it answers, for the reader of its times; the same words of those that do so alike. */
  way: string;
  /** @param smolLM2 path of the model's file, for those that read it themselves */
  start: (smolLM2: string) => Promise<RunningPeer>;
}

export interface RunningPeer {
  /** Texts of `peerTokens` each, past any end of sequence. */
  answers: (question: string, count: number, signal: AbortSignal) => Promise<string[]>;
  stop: () => Promise<void>;
}

/** Those that are installed; of each other one `say` hears how to have it measured. */
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
      // Nothing else interrupts a batch: what waits for it then hears that the process has ended.
      const onAbort = (): void => void stop();
      signal.addEventListener("abort", onAbort);
      return answers({ question, count, tokens: peerTokens, seed: 1 }).finally(() => signal.removeEventListener("abort", onAbort));
    },
    stop,
  };
}

/** The work that is compared, by any server of the protocol. @returns the first answer */
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
