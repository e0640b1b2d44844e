/**
 * @file Whether the words round a place in a clause speak against what stands there. English takes a negation back in
 * many ways ("not dangerous", "no doubt", "cannot hurt", "is not dry"), and what is taken back is no warning.
 */

import { stem, type Clause } from "./clauses.ts";

const setOf = (words: string): ReadonlySet<string> => new Set(words.split(" "));

const negators = setOf(
  "not never no cannot can't don't won't shouldn't mustn't wouldn't couldn't needn't isn't aren't wasn't doesn't didn't without neither nor nobody hardly",
);
/** What takes back a word of disapproval or of harm that follows. */
const nullifiers: ReadonlySet<string> = new Set([...negators, ...setOf("nothing none scarcely barely less far")]);
/** What speaks against what follows, unless it is taken back. */
const disapproving = setOf("avoid stop refuse wrong bad dangerous unsafe risky hazardous unwise foolish mistake harmful forbidden");
/** "Bad" is a verdict before these; before others, as in "the bad smell", it is a mere adjective. */
const badThings = setOf("idea for to plan choice advice thing");
/** Between a negation and a disapproving word these keep both: "do not make the mistake". */
const committing = setOf("make making do doing try anything");
/** After these a negator asks for the thing rather than against it: "do not forget to", "no doubt", "no more than". */
const forgiving = setOf(
  "forget hesitate hesitation mind worry afraid fear problem reason doubt question trouble matter time more longer long fail regret",
);
/** What a thing may not be said to be where it is described: "is not safe", "does not help". */
const approving = setOf(
  "safe good wise right ok okay allowed fine idea advisable recommended sensible sense best place way help work suit belong like done use smart suitable meant for worth be stand go circumstances account",
);
const permitting = setOf("should must may can could ought shall");
/** Stems of what does harm. */
const harming: ReadonlySet<string> = new Set(
  "burn scorch melt fire flame scald poison choke swallow hurt harm damage ruin spoil destroy kill explode tip strangle toxic danger dangerous unsafe risk risky harmful wrong bad forbidden mistake too"
    .split(" ")
    .map(stem),
);
/** Words that begin a condition; harm after them is not the thing's own: "until the jam melts". */
const conditions = setOf("until till if unless so while");
const describing = setOf("is are was were does did has");
const described = setOf("isn't aren't wasn't doesn't didn't hardly");
const thirdPersons = setOf("he she it that this they");
const addressed = setOf("do please i you we one better");
const alwaysImperative = setOf("don't mustn't shouldn't needn't");
/** Before a noun these keep it away: "not in the oven", "than with soap". */
const keepingAway = setOf("not no without never nor than");
const placing = setOf("in into on onto inside over near by beside with under and so then");
const articles = setOf("the a an any such strong hot electric most open burning small loose this that these no one of");
/** Verbs of saying and thinking: what is said so is not thereby so. */
const opining = setOf("say think believe claim call find");
/** Words between a negation and what it denies; more of them behind "I do not think that". */
const reach = 4;
const opiningReach = 8;
const conditionalReach = 2;

/** Whether what stands at a place is advised against by the words before it. */
export function isNegated({ words, opener }: Clause, place: number): boolean {
  if ((opener === "instead" && words[0] === "of") || (opener === "rather" && words[0] === "than")) return true;
  return words.slice(0, place).some((_, at) => isNegator(words, at, place));
}

/** Whether a word is denied by one of the four before it: "not too dangerous", "cannot catch fire". */
export function isNullified(words: readonly string[], place: number): boolean {
  const from = Math.max(0, place - reach);
  return words.slice(from, place).some((word, index) => nullifiers.has(word) && !words.slice(from + index, place).includes("and"));
}

/**
 * "Putting him in the oven could burn him", and of a noun "the oven is no place for him": the thing is what the clause
 * is about, and harm is said of it.
 *
 * @param isNoun whether a noun stands at the place; else a verb, which is the subject only as a gerund at the start.
 */
export function isWarning({ words, stems }: Clause, place: number, isNoun: boolean): boolean {
  const isGerund = words[0]!.endsWith("ing") && words[0] !== stems[0] && words[0] !== "something" && words[0] !== "nothing";
  const isSubject = isNoun ? isGerund || words.slice(0, place).every((word) => articles.has(word)) : place === 0 && isGerund;
  if (!isSubject) return false;
  const end = words.findIndex((word, at) => at > place && conditions.has(word));
  const last = end < 0 ? words.length : end;
  for (let at = place + 1; at < last; at++) {
    const isHarm = harming.has(stems[at]!) && (words[at] !== "too" || at < last - 1);
    if (isHarm && !isNullified(words, at)) return true;
    if (negators.has(words[at]!) && !isTakenBack(words, at, last) && isNearAny(words, at, approving)) return true;
  }
  return false;
}

/** Whether a noun is shut or held off: "switch off the lamp", "out of the cot". */
export function isShutOff({ words }: Clause, place: number): boolean {
  const before = words.slice(Math.max(0, place - 3), place);
  const isOut = before.some((word, index) => word === "out" && before[index + 1] === "of");
  return isOut || words[place + 1] === "off" || before.slice(-2).includes("off");
}

/** Whether a noun is held off: "away from the heater", "not in the oven". */
export function isKeptAway({ words }: Clause, place: number): boolean {
  const from = Math.max(0, place - reach);
  return words.slice(from, place).some((word, index) => {
    const at = from + index;
    const isAwayFrom = (word === "away" || word === "far") && words[at + 1] === "from";
    if (!isAwayFrom && (!keepingAway.has(word) || words[at - 1] === "why" || isHearsay(words, at) || isTakenBack(words, at, place)))
      return false;
    if (isDescription(words, at)) return isNearAny(words, at, approving);
    // "Nothing is better than the oven" keeps nothing away.
    if (word === "than" && words.slice(0, at).some((before) => nullifiers.has(before))) return false;
    return !words.slice(at + 2, place).some((between) => placing.has(between));
  });
}

function isNegator(words: readonly string[], at: number, place: number): boolean {
  const word = words[at]!;
  if (disapproving.has(word)) return isDisapproval(words, at);
  if (!negators.has(word) || isHearsay(words, at) || words[at - 1] === "why" || isTakenBack(words, at, place)) return false;
  if (word === "no") return isNearAny(words, at, approving) || isNearAny(words, at, permitting);
  if (isDescription(words, at)) return isNearAny(words, at, approving);
  // "Without perfume and wash him" asks for the washing; "without rubbing and pressing" for neither.
  if (word === "without" && words.slice(at + 1, place).includes("and") && !words[place]!.endsWith("ing")) return false;
  // "If you do not have a towel put him …": the condition's negation ends with its own verb.
  if (words[0] === "if" || words[0] === "when") return place - at <= conditionalReach;
  return true;
}

function isDisapproval(words: readonly string[], at: number): boolean {
  const [word, next = ""] = words.slice(at, at + 2);
  if (word === "bad" && next !== "" && !badThings.has(next)) return false;
  if (word === "stop" && !next.endsWith("ing")) return false;
  if (next === "not" || next === "never") return false;
  // "It is wrong to say that you cannot" allows it.
  if (next === "to" && opining.has(words[at + 2] ?? "") && words.slice(at + 3).some((later) => negators.has(later))) return false;
  return !isDenied(words, at) && !isHearsay(words, at);
}

/** Whether a disapproving word is itself denied. */
function isDenied(words: readonly string[], at: number): boolean {
  return isNullified(words, at) && !words.slice(Math.max(0, at - reach), at).some((word) => committing.has(word));
}

/**
 * "Some say it is wrong to", "I do not think it is wrong to", "it is a myth that you must not": disapproval that the
 * writer does not share.
 */
function isHearsay(words: readonly string[], at: number): boolean {
  return hearsay.test(words.slice(0, at).join(" "));
}

const hearsay =
  /\b(?:(?:some|people|others|they|many|you|who|not|don't|cannot|never|(?:wrong|mistake|foolish) to)(?: \w+)? (?:think|say|believe|claim|call|find|thought|said)|(?:doubt|myth|tale|rumour) (?:that|if|whether))\b/;

/** Whether a negator is taken back by what follows it, before the place that it would deny. */
function isTakenBack(words: readonly string[], at: number, place: number): boolean {
  if (words.slice(at + 1, Math.min(at + 3, place)).some((next) => forgiving.has(next))) return true;
  if (words[at + 1] === "only" || (words[at] === "no" && words[at + 1] === "better")) return true;
  const isTwofold =
    words[at] === "without" ? words.slice(0, at).some((word) => negators.has(word)) : words.slice(at + 1, place).includes("without");
  if (isTwofold) return true;
  // "There is no reason not to", "it would be wrong not to".
  const before = words[at - 1] ?? "";
  if (before === "reason" || (disapproving.has(before) && !isNullified(words, at - 1))) return true;
  const isImperative =
    words[at] !== "no" &&
    (at === 0 || addressed.has(words[at - 1]!) || addressed.has(words[at - 2] ?? "") || alwaysImperative.has(words[at]!));
  const span = opining.has(words[at + 1] ?? "") ? opiningReach : reach;
  for (let next = at + 1; next <= Math.min(at + span, words.length - 1); next++) {
    const word = words[next]!;
    if (word === "and" || committing.has(word)) return false;
    if (isApproval(word)) return false;
    if (disapproving.has(word)) return word !== "stop" || words[next + 1]?.endsWith("ing") === true;
    if (!isImperative && harming.has(stem(word)) && word !== "too") return true;
  }
  return false;
}

/** Whether a word approves: "it is not safe to burn …" denies the safety and not the burning. */
function isApproval(word: string): boolean {
  return word === "safe" || word === "good" || word === "wise" || word === "right";
}

/** "He is not dry", "it will not take long": it says how things are, not what to do. */
function isDescription(words: readonly string[], at: number): boolean {
  const [word, before = "", subject = ""] = [words[at]!, words[at - 1], words[at - 2]];
  if (described.has(word) || describing.has(before)) return true;
  if (thirdPersons.has(before)) return ["won't", "wouldn't", "cannot", "can't"].includes(word);
  return thirdPersons.has(subject) && ["will", "would", "can"].includes(before);
}

function isNearAny(words: readonly string[], at: number, wanted: ReadonlySet<string>): boolean {
  const near = words.slice(at + 1, at + 1 + reach);
  const end = near.findIndex((word) => word === "so" || word === "then");
  return near.slice(0, end < 0 ? reach : end).some((word) => wanted.has(word));
}
