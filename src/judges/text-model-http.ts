/**
 * @file A language model behind an OpenAI-compatible address: POST /chat/completions, one answer a request, each with
 * its own seed.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { candidateSeed } from "../random/philox.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { isJsonObject } from "../formats/json-file.ts";
import type { TextModel, TextRequest, WrittenAnswer } from "./text-model.ts";

export interface HttpTextModelOptions {
  /** The address, such as http://127.0.0.1:8000/v1. */
  baseUrl: string;
  model: string;
  /** Sent as a bearer token. */
  apiKey?: string | undefined;
  /** Time limit of one attempt, with the body of its response. */
  timeoutMs?: number;
  /** Wait before the second attempt; it doubles with each further one. */
  firstDelayMs?: number;
}

/** Statuses after which the same request may succeed (RFC 9110, and 429 of RFC 6585). */
const transientStatuses = new Set([408, 429, 500, 502, 503, 504]);
const mostAttempts = 6;
const longestDelayMs = 60_000;
const largestAnswerBytes = 2 ** 24;

/**
 * @returns a model whose `answer` rejects with `usage` where the server refuses the request, with `upstream_failed`
 * where the server cannot be reached after six attempts or its response is no chat completion, and with `cancelled`
 * where the signal was aborted.
 */
export function httpTextModel(options: HttpTextModelOptions): TextModel {
  return {
    name: options.model,
    answer: (request, signal) =>
      Promise.all(
        Array.from({ length: request.count }, (_, index) => answerOne(options, request, candidateSeed(request.seed, index), signal)),
      ),
  };
}

async function answerOne(
  options: HttpTextModelOptions,
  { messages, temperature, maxTokens }: TextRequest,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<WrittenAnswer> {
  const url = `${options.baseUrl.replace(/\/+$/, "")}/chat/completions`;
  const body = JSON.stringify({ model: options.model, messages, temperature, max_tokens: maxTokens, seed, n: 1 });
  const text = await postWithRetries(url, body, options, signal);
  const { content, finishReason } = readCompletion(text, url);
  return { text: content, isCut: finishReason === "length", seed };
}

async function postWithRetries(url: string, body: string, options: HttpTextModelOptions, signal: AbortSignal | undefined): Promise<string> {
  const { apiKey, timeoutMs = 600_000, firstDelayMs = 500 } = options;
  const headers = { "content-type": "application/json", ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) };
  let cause: unknown;
  let problem = "";
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    let delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** attempt);
    try {
      const limit = AbortSignal.timeout(timeoutMs);
      const response = await fetch(url, {
        method: "POST",
        headers,
        body,
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      });
      const text = await readBounded(response, url);
      if (response.ok) return text;
      problem = `answers ${response.status}${messageOf(text)}`;
      if (!transientStatuses.has(response.status)) throw new BonsaiError("usage", `${url} ${problem}.`, { param: "--base-url" });
      const wanted = Number(response.headers.get("retry-after"));
      if (wanted > 0) delayMs = Math.min(longestDelayMs, wanted * 1000);
    } catch (error) {
      if (signal?.aborted === true) throw new BonsaiError("cancelled", "The run was stopped.", { cause: error });
      if (error instanceof BonsaiError) throw error;
      cause = error;
      problem = `cannot be reached: ${reasonOf(error)}`;
    }
    if (attempt + 1 < mostAttempts) await sleep(delayMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    if (signal?.aborted === true) throw new BonsaiError("cancelled", "The run was stopped.");
  }
  throw new BonsaiError("upstream_failed", `${url} ${problem}, asked ${mostAttempts} times.`, { cause });
}

/** Throws `upstream_failed` at a body of more than `largestAnswerBytes`. */
async function readBounded(response: Response, url: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > largestAnswerBytes) throw new BonsaiError("upstream_failed", `${url} answers with more than ${largestAnswerBytes} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function readCompletion(text: string, url: string): { content: string; finishReason: unknown } {
  const body = parsed(text);
  const choices = isJsonObject(body) ? body["choices"] : undefined;
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  const message = isJsonObject(choice) ? choice["message"] : undefined;
  const content = isJsonObject(message) ? message["content"] : undefined;
  if (typeof content !== "string")
    throw new BonsaiError("upstream_failed", `${url} answers with no chat completion: choices[0].message.content is no text.`);
  return { content, finishReason: isJsonObject(choice) ? choice["finish_reason"] : undefined };
}

/** The message of an error body of the OpenAI protocol. */
function messageOf(text: string): string {
  const body = parsed(text);
  const error = isJsonObject(body) ? body["error"] : undefined;
  const message = isJsonObject(error) ? error["message"] : error;
  return typeof message === "string" ? `: ${message.slice(0, 300).replace(/\.$/, "")}` : "";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message !== "" ? cause.message : message;
}
