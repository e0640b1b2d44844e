/**
 * @file The answers to a prompt that are judged: given with it, sampled from a policy, or rewritten into better ones by
 * a model.
 */

import type { Message } from "../text/conversation/message.ts";
import type { AnswerOrigin } from "../judges/judges.ts";
import { drawSeed } from "../random/seeded-draw.ts";
import type { TextModel } from "../judges/text-model.ts";

/** A prompt as a file has it. */
export interface PromptRow {
  /** Text, or a conversation that ends where the answer begins. */
  prompt: string | readonly Message[];
  /** Answers that came with it. */
  given: readonly string[];
  references: readonly string[];
}

export interface Candidate {
  text: string;
  origin: AnswerOrigin;
  /** Seed of a sampled answer: a request with this seed gives it again. */
  seed?: number | undefined;
  /** It was as long as it might be. */
  isCut?: true | undefined;
  /** Place of the answer that was rewritten, where this is a rewrite. */
  of?: number | undefined;
}

export interface CandidateSources {
  /** Absent where all answers are given. */
  policy?: { model: TextModel; samples: number; temperature: number; maxTokens: number } | undefined;
  rewriter?: { model: TextModel; instruction: string; temperature: number; maxTokens: number } | undefined;
  seed: number;
  signal?: AbortSignal | undefined;
}

export interface Candidates {
  candidates: Candidate[];
  /** Answers that were left out, since another one reads alike. */
  duplicates: number;
}

/** What a model is asked for when no instruction is given. */
export const rewriteInstruction =
  "Rewrite the assistant's last answer so that it is better: correct, helpful, friendly and safe, and no longer than it must be. Reply with the new answer alone.";

/** A prompt as the conversation that it is. */
export function conversationOf(prompt: PromptRow["prompt"]): readonly Message[] {
  return typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
}

/**
 * All answers to prompt number `index`, those that read alike once. A rewrite follows all answers that were there
 * before.
 */
export async function findCandidates(row: PromptRow, index: number, sources: CandidateSources): Promise<Candidates> {
  const { policy, rewriter, seed, signal } = sources;
  const messages = conversationOf(row.prompt);
  const promptSeed = drawSeed(seed, "candidate", index);
  const found: Candidate[] = row.given.map((text) => ({ text, origin: "given" }));
  if (policy !== undefined) {
    const { model, samples: count, temperature, maxTokens } = policy;
    const answers = await model.answer({ messages, count, seed: promptSeed, temperature, maxTokens }, signal);
    for (const { text, isCut, seed: own } of answers) found.push({ text, origin: "sample", seed: own, ...(isCut ? { isCut: true } : {}) });
  }
  const candidates = distinct(found);
  const originals = candidates.length;
  if (rewriter !== undefined) {
    const { model, instruction, temperature, maxTokens } = rewriter;
    for (const [place, { text: original }] of [...candidates].entries()) {
      const asked: Message[] = [...messages, { role: "assistant", content: original }, { role: "user", content: instruction }];
      const request = { messages: asked, count: 1, seed: drawSeed(promptSeed, "candidate", place), temperature, maxTokens };
      const [answer] = await model.answer(request, signal);
      const { text, isCut, seed: own } = answer!;
      candidates.push({ text: text.trim(), origin: "rewrite", seed: own, of: place, ...(isCut ? { isCut: true } : {}) });
    }
  }
  const kept = distinct(candidates);
  return { candidates: kept, duplicates: found.length - originals + (candidates.length - kept.length) };
}

/** The first of those that differ by white space at most. Rewrites stand last, so that places that they name stay. */
function distinct(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  return candidates.filter(({ text }) => {
    const key = text.trim().replaceAll(/\s+/g, " ");
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
