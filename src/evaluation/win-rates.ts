/** @file How often one policy's answers are preferred to another's, and what of that their lengths account for. */

import { shareOf, type Case, type Share } from "../statistics/intervals.ts";
import type { Preference } from "../judges/judges.ts";
import { lengthControlled, type ControlledRate } from "../statistics/length-control.ts";

/** An answer against another one to the same prompt. */
export interface Outcome {
  prompt: number;
  /** 1 where it is the better one; undefined where the judge has no opinion. */
  preference: Preference | undefined;
  /** Lengths of the answer and of the one that it is compared with. */
  words: readonly [own: number, other: number];
}

export interface WinRates {
  /** A tie is half a win. Undefined where the judge has no opinion on anything, and so below. */
  all: Share | undefined;
  /** The share among answers whose lengths differ by at most a tenth of the longer one. */
  alike: Share | undefined;
  /** What it would be between answers of one length. */
  controlled: ControlledRate | undefined;
  /** How often the longer of two answers is preferred, whichever policy wrote it. */
  longer: Share | undefined;
  withoutOpinion: number;
}

const alikeWithin = 0.1;

export function winRatesOf(outcomes: readonly Outcome[]): WinRates {
  const judged = outcomes.flatMap(({ preference, ...rest }) =>
    preference === undefined ? [] : [{ ...rest, success: (preference + 1) / 2 }],
  );
  const share = (cases: readonly Case[]): Share | undefined => (cases.length === 0 ? undefined : shareOf(cases));
  const ofLonger = judged
    .filter(({ words: [own, other] }) => own !== other)
    .map(({ success, prompt, words: [own, other] }) => ({ success: own > other ? success : 1 - success, prompt }));
  return {
    all: share(judged),
    alike: share(judged.filter(({ words: [own, other] }) => Math.abs(own - other) <= alikeWithin * Math.max(own, other))),
    controlled: lengthControlled(judged.map(({ success, prompt, words: [own, other] }) => ({ success, prompt, longer: own - other }))),
    longer: share(ofLonger),
    withoutOpinion: outcomes.length - judged.length,
  };
}
