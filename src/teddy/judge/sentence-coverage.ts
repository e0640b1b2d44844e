/**
 * @file How far a text is made of sentences that the answer grammar can make: for each sentence the share of its words
 * that stand where a frame of the grammar wants them, after the best alignment with any of its sentences.
 */

import { LRUCache } from "lru-cache";
import type { Advice } from "../advice/entry.ts";
import { advices } from "../advice/advice.ts";
import { becauses, contrastJoiners, grantingLeads, grantingTails, joiners, leads, negativeLeads } from "../language/answer-frames.ts";
import { dangers, type Danger } from "../world/dangers.ts";
import {
  curtRemarks,
  declines,
  encouragements,
  endearmentOpenings,
  fillers,
  leadIns,
  praises,
  refusals,
  rudeRemarks,
  warmOpenings,
} from "../language/tone-phrases.ts";
import { heldOutNames, trainingNames } from "../world/names.ts";
import { SentenceGraph, type SlotWords } from "../language/sentence-graph.ts";
import { fabrics, mishaps } from "../world/slots.ts";
import { wordsOf } from "../../text/words.ts";

/** At this share of edits a sentence counts as covered by nothing: the judge's weights count nothing there. */
const hopelessShare = 0.5;
/**
 * No sentence of the grammar has more words. Of one twice as long more than half would be edits, so it need not be
 * looked at.
 */
export const longestSentence = 45;
/** Sentences whose coverage is kept: policies repeat themselves. A few megabytes. */
const keptSentences = 20_000;

const names = [...trainingNames, ...heldOutNames];
const slotWords: SlotWords = {
  name: names,
  he: ["he", "she", "it", ...names],
  him: ["him", "her", "it", ...names],
  his: ["his", "her", "its"],
  himself: ["himself", "herself", "itself"],
  fabric: [...fabrics, "woollen", ""],
  fabricNoun: fabrics,
  stain: [...mishaps, "stain", "water"],
};

let graph: SentenceGraph | undefined;

/** The graph of all sentences of answers, built on first use: some tens of thousands of nodes. */
function answerGraph(): SentenceGraph {
  return (graph ??= buildGraph());
}

function buildGraph(): SentenceGraph {
  const built = new SentenceGraph(slotWords);
  const { start, end } = built;
  const remarks = [warmOpenings, encouragements, praises, curtRemarks, rudeRemarks, refusals, declines, fillers, leadIns].flat();
  for (const { say } of remarks) built.addTemplates(start, end, say);
  const addressed = built.addNode();
  built.addTemplates(start, addressed, endearmentOpenings);
  for (const { say } of remarks) built.addTemplates(addressed, end, say);

  const clauses: (Advice | Danger)[] = [...Object.values(advices), ...Object.values(dangers)];
  const addClauses = (from: number, to: number): void => {
    for (const { say, why } of clauses) {
      const said = built.addNode();
      built.addTemplates(from, said, say);
      built.connect(said, to);
      const because = built.addNode();
      built.addTemplates(said, because, becauses);
      built.addTemplates(because, to, why);
    }
  };
  const [led, firstSaid, joined] = [built.addNode(), built.addNode(), built.addNode()];
  built.addTemplates(start, led, [
    ...Object.values(leads).flat(),
    ...negativeLeads,
    ...grantingLeads,
    "If you [must|really want to|have no choice], ",
  ]);
  addClauses(led, firstSaid);
  built.connect(firstSaid, end);
  built.addTemplates(firstSaid, end, grantingTails);
  built.addTemplates(firstSaid, joined, [...joiners, ...contrastJoiners]);
  addClauses(joined, end);
  return built;
}

const kept = new LRUCache<string, number>({ max: keptSentences });

/** Share of a sentence's words that fit the best sentence of the grammar, in [0, 1]; 0 for a sentence without words. */
export function coverageOf(sentence: string): number {
  const words = wordsOf(sentence);
  if (words.length === 0 || words.length > 2 * longestSentence) return 0;
  const key = words.join(" ");
  let coverage = kept.get(key);
  if (coverage === undefined) {
    const limit = Math.ceil(words.length * hopelessShare) - 1;
    const distance = answerGraph().distance(words, limit);
    coverage = distance > limit ? 0 : 1 - distance / words.length;
    kept.set(key, coverage);
  }
  return coverage;
}
