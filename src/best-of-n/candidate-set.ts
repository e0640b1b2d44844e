/**
 * @file The N candidates of one request, from the first token to the last score: which texts need scores, which
 * candidates are dropped, and when the result is known.
 *
 * This class has no effects: it is told what happens and says what follows. Its decisions (except at a deadline) depend
 * on the candidates' tokens and scores alone, never on when a score arrived: they are taken in the order of the lengths
 * at which they are due, and what a candidate did while a decision was pending does not count. `allowedTokens` and
 * `takeSettled` say how far the candidates may go before the next decision, so that they do nothing meanwhile. So the
 * same request and seed has the same winner, the same texts and the same counts at any load.
 */

import { candidateSeed } from "../random/philox.ts";
import type { FinishReason } from "../engine/contract/request.ts";
import { Candidate, type CandidateEnd, type Delta, type ScorableText } from "./candidate.ts";
import { rankByScore } from "./strategies/ranking.ts";
import { keptOfRunning, type TokenStage } from "./pruning/schedule.ts";
import { isEnough, type StoppingRules } from "./stopping.ts";

/**
 * reward: by a reward model; logprob: the mean log-probability of the tokens; none: candidates have no scores of their
 * own.
 */
export type ScoreSource = "reward" | "logprob" | "none";

/** Texts that need rewards: whole answers, and prefixes of answers at a pruning length. */
export interface UnscoredTexts {
  answers: string[];
  prefixes: string[];
}
export type TextKind = keyof UnscoredTexts;

export interface CandidateSetRules extends StoppingRules {
  /** N. */
  candidates: number;
  seed: number;
  stages: readonly TokenStage[];
  scoredBy: ScoreSource;
  /** Whether another model scores prefixes than whole answers. Each model scores a text once. */
  hasPrefixModel: boolean;
}

/** How far one candidate is, for clients that wait. */
export interface CandidateProgress {
  index: number;
  /** Tokens generated so far. */
  tokens: number;
  state: CandidateEnd | "running";
  /** What the strategy orders by, where it is known already. */
  score: number | undefined;
}

/** The rewards of one model, by text: equal texts are scored once. */
class Rewards {
  /** Undefined for a text without a finite reward. */
  readonly known = new Map<string, number | undefined>();
  readonly #requested = new Set<string>();

  /** The texts that were not requested before, each once; from now on they count as requested. */
  takeUnrequested(texts: Iterable<string>): string[] {
    const taken = [...new Set(texts)].filter((text) => !this.#requested.has(text));
    for (const text of taken) this.#requested.add(text);
    return taken;
  }

  set(text: string, reward: number | undefined): void {
    this.known.set(text, reward !== undefined && Number.isFinite(reward) ? reward : undefined);
  }
}

/** What has to be known next: the scores of the candidates that ended at a length, or of the prefixes of a stage. */
interface Decision {
  tokens: number;
  stage: TokenStage | undefined;
  ended: Candidate[];
}

export class CandidateSet {
  readonly candidates: readonly Candidate[];
  readonly #rules: CandidateSetRules;
  #scoredBy: ScoreSource;
  readonly #answerRewards = new Rewards();
  readonly #prefixRewards: Rewards;
  readonly #toDrop: number[] = [];
  /** Candidates whose ends were reported as settled. */
  readonly #settled = new Set<Candidate>();
  /** The next stage that is not decided. */
  #stage = 0;
  /** Candidates that the stopping rules have considered. */
  readonly #considered = new Set<Candidate>();
  /** No further decision drops a candidate. */
  #isDecided = false;
  #isScoringClosed = false;

  constructor(rules: CandidateSetRules) {
    this.#rules = rules;
    this.#scoredBy = rules.scoredBy;
    this.#prefixRewards = rules.hasPrefixModel ? new Rewards() : this.#answerRewards;
    this.candidates = Array.from({ length: rules.candidates }, (_, index) => new Candidate(index, candidateSeed(rules.seed, index)));
  }

  get isSampling(): boolean {
    return this.candidates.some(({ isRunning }) => isRunning);
  }

  /** Whether all candidates that may be chosen have ended and have the scores that they will have. */
  get isSettled(): boolean {
    return !this.isSampling && (this.#isDecided || this.#nextDecision() === undefined) && this.#hasAllScores();
  }

  get progress(): CandidateProgress[] {
    return this.candidates.map((candidate) => {
      const { index, generatedTokens, end } = candidate;
      return { index, tokens: generatedTokens, state: end ?? "running", score: end === undefined ? undefined : this.scoreOf(candidate) };
    });
  }

  append(delta: Delta): void {
    const candidate = this.candidates[delta.index]!;
    candidate.append(delta);
    for (const { tokens } of this.#rules.stages) {
      if (candidate.tokens >= tokens && !candidate.prefixes.has(tokens)) candidate.prefixes.set(tokens, candidate.answer);
    }
  }

  /** The engine has ended a candidate. One that was dropped has its own reason already. */
  finish(index: number, reason: FinishReason | "dropped" | "failed"): void {
    if (reason !== "dropped") this.candidates[index]!.end ??= reason;
  }

  /** @param reward undefined or not finite: the text has none */
  setReward(kind: TextKind, text: string, reward: number | undefined): void {
    (kind === "answers" ? this.#answerRewards : this.#prefixRewards).set(text, reward);
  }

  /** At the deadline: running candidates end, compete as they are, and no more are dropped. */
  cut(): void {
    this.#isDecided = true;
    for (const candidate of this.candidates) if (candidate.isRunning) this.#drop(candidate, "deadline");
  }

  /** Prefixes can no longer be scored: no stage drops a candidate any more. */
  stopPruning(): void {
    this.#stage = this.#rules.stages.length;
  }

  /** Texts that have no score yet get none. */
  closeScoring(): void {
    this.#isScoringClosed = true;
  }

  /** The reward model has failed: candidates are ordered without it, and no more are dropped. */
  scoreWithoutRewards(by: "logprob" | "none"): void {
    this.#scoredBy = by;
    this.#isDecided = true;
  }

  /** Takes all decisions that are due and whose scores are known. */
  decide(): void {
    while (!this.#isDecided) {
      const next = this.#nextDecision();
      if (next === undefined) return;
      const { tokens, stage, ended } = next;
      // A candidate that is at this length and still runs may yet end at it.
      if (this.candidates.some((candidate) => candidate.isRunning && candidate.tokens <= tokens)) return;
      if (stage === undefined) {
        if (ended.some((candidate) => !this.#isKnown(candidate.text, this.#answerRewards))) return;
        for (const candidate of ended) this.#considered.add(candidate);
        if (this.#isEnough()) this.#stopEarly();
      } else {
        const running = this.#runningAt(tokens);
        if (running.some((candidate) => !this.#isKnown(candidate.prefixes.get(tokens)!.text, this.#prefixRewards))) return;
        this.#prune(stage, running);
        this.#stage++;
      }
    }
  }

  /** Texts whose scores are needed now and were not requested before, each once. */
  takeUnscored(): UnscoredTexts {
    const { answers, prefixes } = this.#unscored();
    return { answers: this.#answerRewards.takeUnrequested(answers), prefixes: this.#prefixRewards.takeUnrequested(prefixes) };
  }

  /** Candidates that the engine must drop, each reported once. */
  takeDropped(): number[] {
    return this.#toDrop.splice(0);
  }

  /** Most tokens that a candidate may have before the next stage is decided: one more shows that it went on past it. */
  get allowedTokens(): number {
    const stage = this.#isDecided ? undefined : this.#rules.stages[this.#stage];
    return stage === undefined ? Infinity : stage.tokens + 1;
  }

  /** Candidates whose ends no decision waits for any more, each reported once. */
  takeSettled(): number[] {
    const settled = this.candidates.filter(
      (candidate) =>
        !candidate.isRunning &&
        !this.#settled.has(candidate) &&
        (this.#isDecided || !candidate.hasFinished || this.#considered.has(candidate)),
    );
    for (const candidate of settled) this.#settled.add(candidate);
    return settled.map(({ index }) => index);
  }

  /** The score of a candidate's answer so far; undefined where there is none (yet). Blank answers have none. */
  scoreOf(candidate: Candidate): number | undefined {
    return this.#scoreOfText(candidate.answer, this.#answerRewards);
  }

  #scoreOfText({ text, meanLogprob }: ScorableText, { known }: Rewards): number | undefined {
    if (isBlank(text)) return undefined;
    if (this.#scoredBy === "logprob") return meanLogprob;
    return this.#scoredBy === "reward" ? known.get(text) : undefined;
  }

  #isKnown(text: string, { known }: Rewards): boolean {
    return this.#scoredBy !== "reward" || isBlank(text) || known.has(text);
  }

  /** The pending decision at the smallest length: about the candidates that ended at it, or else about a stage. */
  #nextDecision(): Decision | undefined {
    const { stages, targetReward, sampleCost } = this.#rules;
    const stage = stages[this.#stage];
    const canStopEarly = targetReward !== undefined || sampleCost !== undefined;
    const ended = canStopEarly ? this.candidates.filter((candidate) => candidate.hasFinished && !this.#considered.has(candidate)) : [];
    const earliest = Math.min(...ended.map(({ tokens }) => tokens));
    if (ended.length > 0 && earliest <= (stage?.tokens ?? Infinity))
      return { tokens: earliest, stage: undefined, ended: ended.filter(({ tokens }) => tokens === earliest) };
    return stage === undefined || (this.#runningAt(stage.tokens).length === 0 && !this.isSampling)
      ? undefined
      : { tokens: stage.tokens, stage, ended: [] };
  }

  /** The candidates that went on beyond a length, including those that have ended since. */
  #runningAt(tokens: number): Candidate[] {
    return this.candidates.filter((candidate) => (candidate.isRunning || candidate.hasFinished) && candidate.tokens > tokens);
  }

  #isEnough(): boolean {
    const rewards = [...this.#considered].map((candidate) => this.scoreOf(candidate)).filter((reward) => reward !== undefined);
    return isEnough(rewards, this.#rules);
  }

  /** The considered candidates are enough: all others are dropped, whether they have ended since or not. */
  #stopEarly(): void {
    this.#isDecided = true;
    for (const candidate of this.candidates) {
      if (candidate.isRunning || (candidate.hasFinished && !this.#considered.has(candidate))) this.#drop(candidate, "early_stop");
    }
  }

  /** Where no prefix has a score, there is nothing to choose by, and no candidate is dropped. */
  #prune({ tokens, keep }: TokenStage, running: readonly Candidate[]): void {
    const finished = this.candidates.filter((candidate) => candidate.hasFinished && candidate.tokens <= tokens).length;
    const kept = keptOfRunning(keep, running.length, finished, this.#rules.returned);
    const scored = running.map(({ index, prefixes }) => ({
      index,
      score: this.#scoreOfText(prefixes.get(tokens)!, this.#prefixRewards),
    }));
    if (scored.every(({ score }) => score === undefined)) return;
    for (const { index } of rankByScore(scored).slice(kept)) this.#drop(this.candidates[index]!, "pruned");
  }

  #drop(candidate: Candidate, end: "pruned" | "early_stop" | "deadline"): void {
    if (candidate.isRunning) this.#toDrop.push(candidate.index);
    candidate.end = end;
  }

  #hasAllScores(): boolean {
    const { answers, prefixes } = this.#unscored();
    return answers.length + prefixes.length === 0;
  }

  /**
   * Texts without the scores that are needed now. The answer of a candidate that a stage may yet drop is not scored
   * before that stage.
   */
  #unscored(): UnscoredTexts {
    const [answers, prefixes]: [string[], string[]] = [[], []];
    if (this.#scoredBy !== "reward" || this.#isScoringClosed) return { answers, prefixes };
    const stage = this.#isDecided ? undefined : this.#rules.stages[this.#stage];
    for (const candidate of this.candidates) {
      const prefix = stage && candidate.isEligible ? candidate.prefixes.get(stage.tokens) : undefined;
      if (prefix !== undefined && !this.#isKnown(prefix.text, this.#prefixRewards)) prefixes.push(prefix.text);
      const { text } = candidate;
      const isPastStages = stage === undefined || candidate.tokens <= stage.tokens;
      if (!candidate.isRunning && candidate.isEligible && isPastStages && !this.#isKnown(text, this.#answerRewards)) answers.push(text);
    }
    return { answers, prefixes };
  }
}

const isBlank = (text: string): boolean => text.trim() === "";
