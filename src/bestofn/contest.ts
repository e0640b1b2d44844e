/**
 * @file The N candidates of one request from first token to last score: which texts need scores, which candidates are dropped, and when all is known.
 *
 * It is told what happens and says what follows; nothing is done here. What it decides (but for a deadline) is a function of the candidates' tokens and
 * scores alone, never of when a score arrived: decisions are taken in the order of the lengths at which they are due, and what a candidate did
 * while a decision was pending does not count. So the same request and seed has the same winner at any load.
 */

import { candidateSeed } from "../engine/random.ts";
import type { FinishReason } from "../engine/request.ts";
import { Candidate, type Excerpt, type Piece } from "./candidate.ts";
import { rankByScore } from "./ranking.ts";
import { keptOfRunning, type TokenStage } from "./schedule.ts";
import { isEnough, type StoppingRules } from "./stopping.ts";

/** reward: a reward model's; logprob: the mean log-probability of the tokens; none: candidates are not scored one by one. */
export type ScoreSource = "reward" | "logprob" | "none";

export interface ContestRules extends StoppingRules {
  /** N. */
  candidates: number;
  seed: number;
  stages: readonly TokenStage[];
  scoredBy: ScoreSource;
}

export class Contest {
  readonly candidates: readonly Candidate[];
  readonly #rules: ContestRules;
  #scoredBy: ScoreSource;
  /** By text: equal texts are scored once. Undefined for a text that has no finite reward. */
  readonly #rewards = new Map<string, number | undefined>();
  readonly #asked = new Set<string>();
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
    this.candidates = Array.from({ length: rules.candidates }, (_, index) => new Candidate(index, candidateSeed(rules.seed, index)));
  }

  get isSampling(): boolean {
    return this.candidates.some(({ isRunning }) => isRunning);
  }

  /** Whether all candidates that may be chosen have ended and have the scores that they will have. */
  get isSettled(): boolean {
    return !this.isSampling && (this.#decided || this.#nextDecision() === undefined) && this.#missing().length === 0;
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
  scored(text: string, reward: number | undefined): void {
    this.#rewards.set(text, reward !== undefined && Number.isFinite(reward) ? reward : undefined);
  }

  /** Time is up: what runs ends where it is and competes as it is, and nothing else is dropped. */
  cut(): void {
    this.#decided = true;
    for (const candidate of this.candidates) if (candidate.isRunning) this.#drop(candidate, "deadline");
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
        if (group.some((candidate) => !this.#isKnown(candidate.whole.text))) return;
        for (const candidate of group) this.#seen.add(candidate);
        if (this.#isEnough()) this.#stop();
      } else {
        const running = this.#runningAt(tokens);
        if (running.some((candidate) => !this.#isKnown(candidate.excerpts.get(tokens)!.text))) return;
        this.#prune(stage, running);
        this.#stage++;
      }
    }
  }

  /** Texts whose scores are needed now and were not asked for before, each once. */
  takeUnscored(): string[] {
    const texts = this.#missing().filter((text) => !this.#asked.has(text));
    for (const text of texts) this.#asked.add(text);
    return texts;
  }

  /** Candidates that are to be dropped and were not told of before. */
  takeDropped(): number[] {
    return this.#toDrop.splice(0);
  }

  /** Of a candidate as it is; undefined where there is none, or none yet. Blank answers have none. */
  scoreOf(candidate: Candidate): number | undefined {
    return this.#scoreOfExcerpt(candidate.whole);
  }

  #scoreOfExcerpt({ text, meanLogprob }: Excerpt): number | undefined {
    if (isBlank(text)) return undefined;
    if (this.#scoredBy === "logprob") return meanLogprob;
    return this.#scoredBy === "reward" ? this.#rewards.get(text) : undefined;
  }

  #isKnown(text: string): boolean {
    return this.#scoredBy !== "reward" || isBlank(text) || this.#rewards.has(text);
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

  #prune({ tokens, keep }: TokenStage, running: readonly Candidate[]): void {
    const finished = this.candidates.filter((candidate) => hasFinished(candidate) && candidate.tokens <= tokens).length;
    const kept = keptOfRunning(keep, running.length, finished, this.#rules.returned);
    const order = rankByScore(running.map(({ index, excerpts }) => ({ index, score: this.#scoreOfExcerpt(excerpts.get(tokens)!) })));
    for (const { index } of order.slice(kept)) this.#drop(this.candidates[index]!, "pruned");
  }

  #drop(candidate: Candidate, end: "pruned" | "early_stop" | "deadline"): void {
    if (candidate.isRunning) this.#toDrop.push(candidate.index);
    candidate.end = end;
  }

  /** Texts without the scores that are needed now. A candidate that a stage may yet drop is not scored as a whole before. */
  #missing(): string[] {
    if (this.#scoredBy !== "reward" || this.#scoringClosed) return [];
    const stage = this.#decided ? undefined : this.#rules.stages[this.#stage];
    const texts = new Set<string>();
    for (const candidate of this.candidates) {
      const excerpt = stage && candidate.isEligible ? candidate.excerpts.get(stage.tokens) : undefined;
      if (excerpt !== undefined) texts.add(excerpt.text);
      const isThrough = stage === undefined || candidate.tokens <= stage.tokens;
      if (!candidate.isRunning && candidate.isEligible && isThrough) texts.add(candidate.whole.text);
    }
    return [...texts].filter((text) => !this.#isKnown(text));
  }
}

/** An answer that came to its own end. */
const hasFinished = ({ end }: Candidate): boolean => end === "stop" || end === "length";

const isBlank = (text: string): boolean => text.trim() === "";
