/**
 * @file Best-of-N over answers that were recorded whole: the winner that a pruning schedule would have had, and the
 * tokens it would have sampled.
 */

import { CandidateSet, type UnscoredTexts } from "../candidate-set.ts";
import { rankByScore } from "../strategies/ranking.ts";
import type { TokenStage } from "./schedule.ts";

/** An answer as it was sampled. */
export interface RecordedAnswer {
  /** The text that each token added; empty where it completed no character. */
  pieces: readonly string[];
}

export interface Replayed {
  /** The winner's index; undefined where no answer has a reward. */
  winner: number | undefined;
  /** Tokens of all candidates that would have been sampled. */
  tokens: number;
}

/** Recorded rewards of all texts that may need them. */
export interface RecordedRewards {
  rewards: ReadonlyMap<string, number | undefined>;
  /** Values of prefixes, where a value model scored those. */
  values?: ReadonlyMap<string, number | undefined> | undefined;
}

/** Plays all candidates, a token at a time, through the class that serves requests. */
export function replay(answers: readonly RecordedAnswer[], stages: readonly TokenStage[], { rewards, values }: RecordedRewards): Replayed {
  const set = new CandidateSet({
    candidates: answers.length,
    seed: 0,
    stages,
    scoredBy: "reward",
    returned: 1,
    targetReward: undefined,
    sampleCost: undefined,
    hasPrefixModel: values !== undefined,
  });
  const longest = Math.max(0, ...answers.map(({ pieces }) => pieces.length));
  // An answer without tokens ends before the first.
  for (let token = 0; token <= longest && set.isSampling; token++) {
    for (const [index, { pieces }] of answers.entries()) {
      if (!set.candidates[index]!.isRunning) continue;
      if (token < pieces.length) set.append({ type: "delta", index, text: pieces[token]!, tokenIds: [0] });
      if (token + 1 >= pieces.length) set.finish(index, "stop");
    }
    for (let texts = decide(set); texts.answers.length + texts.prefixes.length > 0; texts = decide(set)) {
      for (const text of texts.answers) set.setReward("answers", text, rewards.get(text));
      for (const text of texts.prefixes) set.setReward("prefixes", text, (values ?? rewards).get(text));
    }
  }
  const [first] = rankByScore(
    set.candidates.filter(({ isEligible }) => isEligible).map((candidate) => ({ index: candidate.index, score: set.scoreOf(candidate) })),
  );
  return {
    winner: first?.score === undefined ? undefined : first.index,
    tokens: set.candidates.reduce((sum, { tokens }) => sum + tokens, 0),
  };
}

/** Takes the decisions that are due. @returns the texts whose scores are needed next */
function decide(set: CandidateSet): UnscoredTexts {
  set.decide();
  set.takeDropped();
  return set.takeUnscored();
}
