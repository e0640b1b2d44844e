/**
 * @file The N candidates of one request from first token to last score: which texts need scores, which candidates are dropped, and when all is known.
 *
 * Whole answers and beginnings are judged apart: they may have different judges. It is told what happens and says what follows; nothing is done here. What it decides (but for a deadline) is a function of the candidates' tokens and
 * scores alone, never of when a score arrived: decisions are taken in the order of the lengths at which they are due, and what a candidate did
 * while a decision was pending does not count. So the same request and seed has the same winner at any load.
 */

import { candidateSeed } from "../random/philox.ts";
import type { FinishReason } from "../engine/contract/request.ts";
import { Candidate, type Excerpt, type Piece } from "./candidate.ts";
import { rankByScore } from "./strategies/ranking.ts";
import { keptOfRunning, type TokenStage } from "./pruning/schedule.ts";
import { isEnough, type StoppingRules } from "./stopping.ts";

/** reward: a reward model's; logprob: the mean log-probability of the tokens; none: candidates are not scored one by one. */
export type ScoreSource = "reward" | "logprob" | "none";

/** Texts whose rewards are needed. */
export interface UnscoredTexts {
  wholes: string[];
  beginnings: string[];
}

export interface ContestRules extends StoppingRules {
  /** N. */
  candidates: number;
  seed: number;
  stages: readonly TokenStage[];
  scoredBy: ScoreSource;
  /** Whether beginnings have another judge than whole answers; a text is scored once by each. */
  judgesBeginningsApart: boolean;
}

/** What one judge has said. */
class Verdicts {
  /** By text: equal texts are scored once. Undefined for a text that has no finite reward. */
  readonly rewards = new Map<string, number | undefined>();
  readonly #asked = new Set<string>();

  /** Of the texts, those that were not asked for before, each once. */
  take(texts: Iterable<string>): string[] {
    const taken = [...new Set(texts)].filter((text) => !this.#asked.has(text));
    for (const text of taken) this.#asked.add(text);
    return taken;
  }

  said(text: string, reward: number | undefined): void {
    this.rewards.set(text, reward !== undefined && Number.isFinite(reward) ? reward : undefined);
  }
}

export class Contest {
  readonly candidates: readonly Candidate[];
  readonly #rules: ContestRules;
  #scoredBy: ScoreSource;
  readonly #ofWholes = new Verdicts();
  readonly #ofBeginnings: Verdicts;
  readonly #toDrop: number[] = [];
  /** The next stage that is not decided. */
  #stage = 0;
  /** Candidates that the stopping rules have looked at. */
  readonly #seen = new Set<Candidate>();
  /** No further decision drops a candidate. */
  #decided = false;
  #scoringClosed = false;

  constructor(rules: ContestRules) {
    this.#rules = rules;
    this.#scoredBy = rules.scoredBy;
    this.#ofBeginnings = rules.judgesBeginningsApart ? new Verdicts() : this.#ofWholes;
    this.candidates = Array.from({ length: rules.candidates }, (_, index) => new Candidate(index, candidateSeed(rules.seed, index)));
  }

  get isSampling(): boolean {
    return this.candidates.some(({ isRunning }) => isRunning);
  }

  /** Whether all candidates that may be chosen have ended and have the scores that they will have. */
  get isSettled(): boolean {
    return !this.isSampling && (this.#decided || this.#nextDecision() === undefined) && this.#isAllKnown();
  }

  /** A candidate went on. */
  grew(index: number, piece: Piece, logprobSum: number | undefined): void {
    const candidate = this.candidates[index]!;
    candidate.push(piece, logprobSum);
    for (const { tokens } of this.#rules.stages) {
      if (candidate.tokens >= tokens && !candidate.excerpts.has(tokens)) candidate.excerpts.set(tokens, candidate.whole);
    }
  }

  /** A candidate came to its end. One that was dropped has its end already. */
  ended(index: number, reason: FinishReason | "dropped" | "failed"): void {
    const candidate = this.candidates[index]!;
    if (reason !== "dropped") candidate.end ??= reason;
  }

  /** @param reward undefined or not finite: the text has none */
  scored(what: keyof UnscoredTexts, text: string, reward: number | undefined): void {
    (what === "wholes" ? this.#ofWholes : this.#ofBeginnings).said(text, reward);
  }

  /** Time is up: what runs ends where it is and competes as it is, and nothing else is dropped. */
  cut(): void {
    this.#decided = true;
    for (const candidate of this.candidates) if (candidate.isRunning) this.#drop(candidate, "deadline");
  }

  /** Beginnings can no longer be judged: none is dropped for what it was. */
  keepAll(): void {
    this.#stage = this.#rules.stages.length;
  }

  /** What has no score yet gets none. */
  closeScoring(): void {
    this.#scoringClosed = true;
  }

  /** The reward model cannot be had: the answers are told apart without it, and none is dropped any more. */
  scoreWithoutRewards(by: "logprob" | "none"): void {
    this.#scoredBy = by;
    this.#decided = true;
  }

  /** Takes all decisions that are due and whose scores are there. */
  decide(): void {
    for (
      let next = this.#decided ? undefined : this.#nextDecision();
      next !== undefined;
      next = this.#decided ? undefined : this.#nextDecision()
    ) {
      const { tokens, stage, group } = next;
      // Any that runs at this length may still end at it.
      if (this.candidates.some((candidate) => candidate.isRunning && candidate.tokens <= tokens)) return;
      if (stage === undefined) {
        if (group.some((candidate) => !this.#isKnown(candidate.whole.text, this.#ofWholes))) return;
        for (const candidate of group) this.#seen.add(candidate);
        if (this.#isEnough()) this.#stop();
      } else {
        const running = this.#runningAt(tokens);
        if (running.some((candidate) => !this.#isKnown(candidate.excerpts.get(tokens)!.text, this.#ofBeginnings))) return;
        this.#prune(stage, running);
        this.#stage++;
      }
    }
  }

  /** Texts whose scores are needed now and were not asked for before, each once. */
  takeUnscored(): UnscoredTexts {
    const missing = this.#missing();
    return { wholes: this.#ofWholes.take(missing.wholes), beginnings: this.#ofBeginnings.take(missing.beginnings) };
  }

  /** Candidates that are to be dropped and were not told of before. */
  takeDropped(): number[] {
    return this.#toDrop.splice(0);
  }

  /** Of a candidate as it is; undefined where there is none, or none yet. Blank answers have none. */
  scoreOf(candidate: Candidate): number | undefined {
    return this.#scoreOfExcerpt(candidate.whole, this.#ofWholes);
  }

  #scoreOfExcerpt({ text, meanLogprob }: Excerpt, { rewards }: Verdicts): number | undefined {
    if (isBlank(text)) return undefined;
    if (this.#scoredBy === "logprob") return meanLogprob;
    return this.#scoredBy === "reward" ? rewards.get(text) : undefined;
  }

  #isKnown(text: string, { rewards }: Verdicts): boolean {
    return this.#scoredBy !== "reward" || isBlank(text) || rewards.has(text);
  }

  /** The decision at the smallest length that is not taken yet: the candidates that ended at it, or else a stage. */
  #nextDecision(): { tokens: number; stage: TokenStage | undefined; group: Candidate[] } | undefined {
    const { stages, targetReward, sampleCost } = this.#rules;
    const stage = stages[this.#stage];
    const hasStopping = targetReward !== undefined || sampleCost !== undefined;
    const ended = hasStopping ? this.candidates.filter((candidate) => hasFinished(candidate) && !this.#seen.has(candidate)) : [];
    const earliest = Math.min(...ended.map(({ tokens }) => tokens));
    if (ended.length > 0 && earliest <= (stage?.tokens ?? Infinity))
      return { tokens: earliest, stage: undefined, group: ended.filter(({ tokens }) => tokens === earliest) };
    return stage === undefined || (this.#runningAt(stage.tokens).length === 0 && !this.isSampling)
      ? undefined
      : { tokens: stage.tokens, stage, group: [] };
  }

  /** The candidates that went on beyond a length, whatever became of them since. */
  #runningAt(tokens: number): Candidate[] {
    return this.candidates.filter((candidate) => (candidate.isRunning || hasFinished(candidate)) && candidate.tokens > tokens);
  }

  #isEnough(): boolean {
    const rewards = [...this.#seen].map((candidate) => this.scoreOf(candidate)).filter((reward) => reward !== undefined);
    return isEnough(rewards, this.#rules);
  }

  /** Those that ended until now are enough: all others, ended since or not, are out. */
  #stop(): void {
    this.#decided = true;
    for (const candidate of this.candidates) {
      if (candidate.isRunning || (hasFinished(candidate) && !this.#seen.has(candidate))) this.#drop(candidate, "early_stop");
    }
  }

  /** Where no beginning has a score there is nothing to choose by, and nobody is dropped. */
  #prune({ tokens, keep }: TokenStage, running: readonly Candidate[]): void {
    const finished = this.candidates.filter((candidate) => hasFinished(candidate) && candidate.tokens <= tokens).length;
    const kept = keptOfRunning(keep, running.length, finished, this.#rules.returned);
    const scored = running.map(({ index, excerpts }) => ({
      index,
      score: this.#scoreOfExcerpt(excerpts.get(tokens)!, this.#ofBeginnings),
    }));
    if (scored.every(({ score }) => score === undefined)) return;
    for (const { index } of rankByScore(scored).slice(kept)) this.#drop(this.candidates[index]!, "pruned");
  }

  #drop(candidate: Candidate, end: "pruned" | "early_stop" | "deadline"): void {
    if (candidate.isRunning) this.#toDrop.push(candidate.index);
    candidate.end = end;
  }

  #isAllKnown(): boolean {
    const { wholes, beginnings } = this.#missing();
    return wholes.length + beginnings.length === 0;
  }

  /** Texts without the scores that are needed now. A candidate that a stage may yet drop is not scored as a whole before. */
  #missing(): UnscoredTexts {
    const [wholes, beginnings]: [string[], string[]] = [[], []];
    if (this.#scoredBy !== "reward" || this.#scoringClosed) return { wholes, beginnings };
    const stage = this.#decided ? undefined : this.#rules.stages[this.#stage];
    for (const candidate of this.candidates) {
      const excerpt = stage && candidate.isEligible ? candidate.excerpts.get(stage.tokens) : undefined;
      if (excerpt !== undefined && !this.#isKnown(excerpt.text, this.#ofBeginnings)) beginnings.push(excerpt.text);
      const { text } = candidate.whole;
      const isThrough = stage === undefined || candidate.tokens <= stage.tokens;
      if (!candidate.isRunning && candidate.isEligible && isThrough && !this.#isKnown(text, this.#ofWholes)) wholes.push(text);
    }
    return { wholes, beginnings };
  }
}

/** An answer that came to its own end. */
const hasFinished = ({ end }: Candidate): boolean => end === "stop" || end === "length";

const isBlank = (text: string): boolean => text.trim() === "";
