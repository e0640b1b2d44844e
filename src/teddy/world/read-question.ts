/** @file What a conversation asks, read from its text alone. */

import type { Message } from "../../text/conversation/message.ts";
import { dangerIds, dangerOf, type DangerId } from "./dangers.ts";
import { nameOf } from "./names.ts";
import type { QuestionFacts } from "./question-facts.ts";
import { topicTexts } from "./topic-texts.ts";
import { compilePattern, mentionsOf, readText, type Pattern, type ReadText } from "../language/recognition.ts";
import { fabrics, mishaps, type Asker, type Fabric, type Mishap } from "./slots.ts";
import type { Topic } from "./topics.ts";
import { wordsOf } from "../../text/words.ts";

/** Topics in the order in which they are looked for. Topics that share words with others come late. */
const lookedFor: readonly Topic[] = [
  "teaparty", "birthday", "story", "eye", "seam", "stuffing", "smell", "dust", "sun", "storage", "brushing", "washing", "drying", "travel", "bedtime",
  "naming", "gift", "sharing", "cold", "lost", "stain",
]; // prettier-ignore

const topicPatterns = lookedFor.map((topic) => ({ topic, patterns: topicTexts[topic].keys.map(compilePattern) }));
const dangerPatterns = dangerIds.map((id) => ({ id, patterns: dangerOf(id).keys.map(compilePattern) }));
const askerPatterns: { asker: Asker; patterns: Pattern[] }[] = [
  { asker: "collector", patterns: ["collection/collector/antique"].map(compilePattern) },
  { asker: "parent", patterns: ["son/daughter/boy/girl/child/baby/toddler"].map(compilePattern) },
  {
    asker: "child",
    patterns: ["grade", "mum/dad/grandma/teacher said", "i am five/six/seven/eight/nine"].map(compilePattern),
  },
];
const fabricWords: ReadonlyMap<string, Fabric> = new Map<string, Fabric>([
  ...fabrics.map((fabric) => [fabric, fabric] as const),
  ["woollen", "wool"],
  ["woolen", "wool"],
]);
const mishapWords: ReadonlySet<string> = new Set(mishaps);

/**
 * The last user message says what is asked; the bear, its fabric and who asks may have been said in an earlier one.
 *
 * @returns undefined where the text asks about no topic of this world or names no bear.
 */
export function readQuestion(messages: readonly Message[]): QuestionFacts | undefined {
  const said = messages.filter(({ role }) => role === "user").map(({ content }) => content);
  const last = said.at(-1);
  if (last === undefined) return undefined;
  const lastText = readText(last);
  const danger = dangerIn(lastText);
  const topic = danger === undefined ? topicIn(lastText) : dangerOf(danger).topic;
  const name = lastFound(said, (words) => words.map(nameOf).find((found) => found !== undefined));
  if (topic === undefined || name === undefined) return undefined;
  return {
    topic,
    name,
    danger,
    fabric: lastFound(said, (words) => words.map((word) => fabricWords.get(word)).find((found) => found !== undefined)),
    mishap: wordsOf(last).find((word): word is Mishap => mishapWords.has(word)),
    asker: askerIn(said),
  };
}

function dangerIn(text: ReadText): DangerId | undefined {
  return dangerPatterns.find(({ patterns }) => isMentioned(text, patterns))?.id;
}

function topicIn(text: ReadText): Topic | undefined {
  return topicPatterns.find(({ patterns }) => isMentioned(text, patterns))?.topic;
}

/** Who asks, by the latest message that says so. */
function askerIn(said: readonly string[]): Asker | undefined {
  for (const content of said.toReversed()) {
    const text = readText(content);
    const found = askerPatterns.find(({ patterns }) => isMentioned(text, patterns));
    if (found !== undefined) return found.asker;
  }
  return undefined;
}

function isMentioned(text: ReadText, patterns: readonly Pattern[]): boolean {
  const { affirmed, negated } = mentionsOf(text, patterns);
  return affirmed + negated > 0;
}

function lastFound<T>(said: readonly string[], find: (words: readonly string[]) => T | undefined): T | undefined {
  for (const content of said.toReversed()) {
    const found = find(wordsOf(content));
    if (found !== undefined) return found;
  }
  return undefined;
}
