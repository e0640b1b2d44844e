/**
 * @file The most places of keys and values that requests take on the CPU: answers, prompts with their copies, and
 * padding.
 */

import type { RequestSize } from "../device.ts";
import { classBound, lengthClassOf, sharingRows } from "./grouping.ts";
import { roundUpPlaces } from "./kv-segment.ts";

/**
 * Rows whose prompts are copied, in places; they decode in the batches of the classes from `first` to `last`, one after
 * the other.
 */
interface CopiedRows {
  sequences: number;
  prompt: number;
  answer: number;
  first: number;
  last: number;
}

/** The widest prompt and answer that a row of the class may have. */
interface ClassWidth {
  prompt: number;
  answer: number;
}

/**
 * A bound that holds at any point of the requests' lives. Sequences that share their prompt have a batch of their own.
 * The others are padded to the longest prompt and answer of their batch, and move to the batch of the next class when
 * their answer has outgrown their own; while one prompt or row moves, it is held twice.
 */
export function requestPlaces(requests: readonly RequestSize[]): number {
  let total = 0;
  const copied: CopiedRows[] = [];
  for (const { promptTokens, sequences, answerTokens } of requests) {
    const [prompt, answer] = [roundUpPlaces(promptTokens), roundUpPlaces(answerTokens + 1)];
    const first = lengthClassOf(promptTokens);
    if (sequences >= sharingRows) total += prompt + sequences * answer;
    else copied.push({ sequences, prompt, answer, first, last: Math.max(first, lengthClassOf(answerTokens + 1)) });
  }
  const widths = classWidths(copied);
  let moving = 0;
  for (const { sequences, prompt, first, last } of copied) {
    const width = widths.slice(first, last + 1).reduce((most, of) => Math.max(most, of.prompt + of.answer), 0);
    total += sequences * width;
    moving = Math.max(moving, first === last ? prompt : width);
  }
  return total + moving;
}

function classWidths(copied: readonly CopiedRows[]): ClassWidth[] {
  const classes = copied.reduce((most, { last }) => Math.max(most, last + 1), 0);
  const widths = Array.from({ length: classes }, (): ClassWidth => ({ prompt: 0, answer: 0 }));
  for (const { prompt, answer, first, last } of copied) {
    widths.slice(first, last + 1).forEach((width, at) => {
      width.prompt = Math.max(width.prompt, prompt);
      width.answer = Math.max(width.answer, Math.min(answer, classBound(first + at)));
    });
  }
  return widths;
}
