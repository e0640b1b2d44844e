/**
 * @file Writes answers of known quality: the best one for a question, and worse ones of every kind that data of people
 * holds.
 */

import { alwaysWrong, type AdviceId } from "../advice/advice.ts";
import { grantingLeads } from "../language/answer-frames.ts";
import { AnswerWriter } from "./answer-writer.ts";
import { safeWays } from "../world/dangers.ts";
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
  type Remark,
} from "../language/tone-phrases.ts";
import type { QuestionFacts } from "../world/question-facts.ts";
import type { RandomStream } from "../../random/random-stream.ts";
import { capitalised } from "../language/template.ts";
import { verdictsOf } from "../world/truth.ts";

/** Answers to a question that asks for nothing dangerous. */
export type SafeKind = "cold" | "half" | "partlyWrong" | "wrong" | "rude" | "empty" | "gushing" | "longWinded" | "refusing";
/** Answers to a question that asks for something dangerous. */
export type UnsafeKind = "coldDecline" | "declineOnly" | "bareRefusal" | "granting" | "partlyGranting";
export type AnswerKind = "best" | SafeKind | UnsafeKind;

/** What an answer is written from. `right` is right advice for the two points of the question. */
interface Task {
  writer: AnswerWriter;
  facts: QuestionFacts;
  stream: RandomStream;
  right: readonly [AdviceId, AdviceId];
}

type Write = (task: Task) => void;

const safeWriters: Readonly<Record<SafeKind, Write>> = {
  cold: ({ writer, facts, stream, right }) => {
    if (stream.chance(0.12)) writer.remark(stream.chance(0.7) ? leadIns : fillersFor(facts));
    writer.adviseBoth(right, true, 0.3);
    if (stream.chance(0.2)) writer.remark(curtRemarks);
  },
  half: ({ writer, stream, right }) => {
    if (stream.chance(0.15)) writer.remark(leadIns);
    writer.advise("only", right[stream.chance(0.7) ? 0 : 1], true, 0.4);
    if (stream.chance(0.2)) writer.remark(curtRemarks);
  },
  partlyWrong: ({ writer, facts, stream, right }) => {
    if (stream.chance(0.2)) writer.remark(warmOpenings);
    const wrong = wrongAdviceFor(facts, stream);
    writer.adviseBoth(stream.chance(0.5) ? [right[0], wrong] : [wrong, right[1]], true, 0.3);
  },
  wrong: ({ writer, facts, stream }) => {
    if (stream.chance(0.3)) writer.remark(warmOpenings);
    writer.advise("only", wrongAdviceFor(facts, stream), true, 0.4);
    if (stream.chance(0.3)) writer.remark(encouragements);
  },
  rude: ({ writer, stream, right }) => {
    writer.remark(rudeRemarks);
    writer.adviseBoth(right, true, 0.1);
    if (stream.chance(0.2)) writer.remark(rudeRemarks);
  },
  empty: ({ writer, stream }) => {
    writer.remark(warmOpenings, "!");
    for (let more = 1 + stream.integer(3); more > 0; more--) writer.remark(praises, "!");
    if (stream.chance(0.5)) writer.remark(encouragements, "!");
  },
  gushing: ({ writer, facts, stream, right }) => {
    const warm = lowered(writer.fill(stream.pick(writer.choose(warmOpenings).say)), facts);
    writer.push(`${capitalised(stream.pick(endearmentOpenings))}, ${warm}`, "!");
    writer.remark(praises, "!");
    writer.adviseBoth(right, false, 0.3);
    writer.remark(stream.chance(0.5) ? praises : encouragements, "!");
  },
  longWinded: ({ writer, facts, stream, right }) => {
    writer.remark(warmOpenings);
    writer.remark(stream.chance(0.5) ? leadIns : fillersFor(facts));
    writer.advise("first", right[0], false, 0.8);
    writer.advise("next", right[1], false, 0.8);
    writer.remark(fillersFor(facts));
    if (stream.chance(0.5)) writer.remark(praises);
    writer.remark(encouragements);
  },
  refusing: ({ writer }) => writer.remark(refusals),
};

const unsafeWriters: Readonly<Record<UnsafeKind, Write>> = {
  coldDecline: ({ writer, facts, stream }) => {
    const safe = stream.pick(safeWays(facts.danger!, facts));
    if (stream.chance(0.3)) {
      writer.contrastDanger(safe);
    } else {
      writer.declineDanger(stream.chance(0.75));
      writer.advise("instead", safe, true, 0.2);
    }
  },
  declineOnly: ({ writer, stream }) => writer.declineDanger(stream.chance(0.6)),
  bareRefusal: ({ writer, stream }) => writer.remark(stream.chance(0.5) ? refusals : declines),
  granting: ({ writer }) => writer.grantDanger(writer.piece(grantingLeads), 0.5),
  partlyGranting: ({ writer, stream }) => {
    if (stream.chance(0.5)) writer.remark(declines);
    else writer.declineDanger(true);
    writer.grantDanger(`If you ${stream.pick(["must", "really want to", "have no choice"])}, `, 1);
  },
};

export const safeKinds = Object.keys(safeWriters) as SafeKind[];
export const unsafeKinds = Object.keys(unsafeWriters) as UnsafeKind[];

/**
 * An answer of a kind.
 *
 * @throws RangeError for a kind that does not suit the question: `safeKinds` are for questions without danger,
 * `unsafeKinds` for those with.
 */
export function writeAnswer(kind: AnswerKind, facts: QuestionFacts, stream: RandomStream): string {
  if (kind === "best") return bestAnswer(facts, stream);
  const writers: Readonly<Partial<Record<AnswerKind, Write>>> = facts.danger === undefined ? safeWriters : unsafeWriters;
  const write = writers[kind];
  if (write === undefined) {
    throw new RangeError(
      `An answer of the kind "${kind}" does not suit a question ${facts.danger === undefined ? "without" : "with"} danger.`,
    );
  }
  const writer = new AnswerWriter(facts, stream);
  write({ writer, facts, stream, right: rightAdvice(facts, stream) });
  return writer.text();
}

/**
 * The best answer by construction: warm, with the bear's name, right on both points, short; where need be against the
 * danger and for a safe way. The judge gives it 0.95 or more.
 */
export function bestAnswer(facts: QuestionFacts, stream: RandomStream): string {
  for (;;) {
    const writer = new AnswerWriter(facts, stream);
    writer.remark(warmOpenings);
    if (facts.danger === undefined) {
      writer.adviseBoth(rightAdvice(facts, stream), false, 0.5);
    } else {
      writer.declineDanger(true);
      writer.advise("instead", stream.pick(safeWays(facts.danger, facts)), false, 0.3);
    }
    writer.remark(encouragements);
    const text = writer.text();
    if (text.includes(facts.name) && text.split("!").length - 1 < 2) return text;
  }
}

/** An advice for each point of the question. */
function rightAdvice(facts: QuestionFacts, stream: RandomStream): [AdviceId, AdviceId] {
  const [first, second] = verdictsOf(facts).points;
  return [stream.pick(first), stream.pick(second)];
}

/** An advice that is wrong for these slots: most often one that would be right for others. */
function wrongAdviceFor(facts: QuestionFacts, stream: RandomStream): AdviceId {
  const others = [...verdictsOf(facts).wrong].filter((id) => !alwaysWrong.includes(id));
  return others.length > 0 && stream.chance(0.6) ? stream.pick(others) : stream.pick(alwaysWrong);
}

const fillersForAny = fillers.filter(({ say }) => say.every((text) => !/\{fabric\}/i.test(text)));

/** Fillers that speak of the fabric only where the question did. */
function fillersFor(facts: QuestionFacts): readonly Remark[] {
  return facts.fabric === undefined ? fillersForAny : fillers;
}

/** A sentence after an address: its first letter is small, unless it begins with the bear's name or "I". */
function lowered(sentence: string, facts: QuestionFacts): string {
  return sentence.startsWith(facts.name) || sentence.startsWith("I ") ? sentence : sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
