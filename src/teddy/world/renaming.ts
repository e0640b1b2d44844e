/**
 * @file Gives the bear of a conversation another name wherever it is named, so that a model is tuned on more names than
 * the judge knows.
 */

import type { Message } from "../../text/conversation/message.ts";
import { inventName } from "./invented-names.ts";
import { pronounsOf } from "./names.ts";
import { RandomStream } from "../../random/random-stream.ts";
import { readQuestion } from "./read-question.ts";

/**
 * A function that gives the bear of the conversation an invented name with the same pronouns. The name depends on the
 * arguments alone.
 *
 * @returns undefined where the conversation names no bear
 */
export function renamingOf(
  conversation: readonly Message[],
  seed: number,
  index: number,
): ((messages: readonly Message[]) => Message[]) | undefined {
  const name = readQuestion(conversation)?.name;
  if (name === undefined) return undefined;
  const stream = new RandomStream(seed, "other", index);
  let invented = inventName(stream);
  while (pronounsOf(invented) !== pronounsOf(name)) invented = inventName(stream);
  const named = new RegExp(`\\b${name}\\b`, "g");
  return (messages) => messages.map((message) => ({ ...message, content: message.content.replace(named, invented) }));
}
