/** @file Best-of-N over answers that were recorded whole: what a schedule would have made of them, and at what price. */

import { Contest, type UnscoredTexts } from "../candidate-set.ts";
import { rankByScore } from "../strategies/ranking.ts";
import type { TokenStage } from "./schedule.ts";

/** An answer as it was sampled. */
export interface RecordedAnswer {
  /** What each token added to the text; empty where it completed no character. */
  pieces: readonly string[];
}

export interface Replayed {
  /** The winner's place; undefined where no answer has a reward. */
  winner: number | undefined;
  /** Tokens that would have been sampled, of all candidates. */
  tokens: number;
}

/** Recorded rewards of all texts that a contest may ask for. */
export interface RecordedRewards {
  rewards: ReadonlyMap<string, number | undefined>;
  /** Of beginnings, where another model judged those. */
  values?: ReadonlyMap<string, number | undefined> | undefined;
}

/** Plays all candidates a token at a time through the contest that serves requests. */
export function replay(answers: readonly RecordedAnswer[], stages: readonly TokenStage[], { rewards, values }: RecordedRewards): Replayed {
  const contest = new Contest({
    candidates: answers.length,
    seed: 0,
    stages,
    scoredBy: "reward",
    returned: 1,
    targetReward: undefined,
    sampleCost: undefined,
    judgesBeginningsApart: values !== undefined,
  });
  const longest = Math.max(0, ...answers.map(({ pieces }) => pieces.length));
  // An answer without tokens ends before the first.
  for (let token = 0; token <= longest && contest.isSampling; token++) {
    for (const [index, { pieces }] of answers.entries()) {
      if (!contest.candidates[index]!.isRunning) continue;
      if (token < pieces.length) contest.grew(index, { text: pieces[token]!, tokenIds: [0], logprobs: undefined }, undefined);
      if (token + 1 >= pieces.length) contest.ended(index, "stop");
    }
    for (let texts = decided(contest); texts.wholes.length + texts.beginnings.length > 0; texts = decided(contest)) {
      for (const text of texts.wholes) contest.scored("wholes", text, rewards.get(text));
      for (const text of texts.beginnings) contest.scored("beginnings", text, (values ?? rewards).get(text));
    }
  }
  const standings = rankByScore(
    contest.candidates
      .filter(({ isEligible }) => isEligible)
      .map((candidate) => ({ index: candidate.index, score: contest.scoreOf(candidate) })),
  );
  const [first] = standings;
  return {
    winner: first?.score === undefined ? undefined : first.index,
    tokens: contest.candidates.reduce((sum, { tokens }) => sum + tokens, 0),
  };
}

/** Takes the decisions that are due. @returns the texts whose scores are needed next */
function decided(contest: Contest): UnscoredTexts {
  contest.decide();
  contest.takeDropped();
  return contest.takeUnscored();
}
