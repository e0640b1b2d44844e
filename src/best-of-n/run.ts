/**
 * @file Best-of-N: samples N answers to one prompt, has them scored, ends those that are dropped, and gives back the
 * best. All effects are here.
 */

import type { GenerateEvent, GenerateRequest, Generating, Pacing } from "../engine/contract/request.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import { ActiveStrategy } from "./active-strategy.ts";
import type { Candidate } from "./candidate.ts";
import { CandidateSet } from "./candidate-set.ts";
import type { BestOfOptions } from "./options.ts";
import type { TokenStage } from "./pruning/schedule.ts";
import { chosenEvents, reportOf, unfinishedEvents, type BestOfEvent, type BestOfTimings, type StartEvent } from "./result.ts";
import { RewardRequests, type RewardSource } from "./reward-requests.ts";
import { rankCandidates } from "./strategies/rank-candidates.ts";
import type { RankedCandidate } from "./strategies/ranking.ts";

/** What runs a request: the engine, a reward model and a judge, each behind the one function that is needed of it. */
export interface BestOfResources {
  generate: (request: GenerateRequest, signal: AbortSignal) => Generating;
  /** For strategies that order by rewards. */
  reward?: RewardSource | undefined;
  /** For knockout by a judge: which of two answers is better, 1 the first. Rejects when the signal aborts. */
  compare?: ((first: string, second: string, signal: AbortSignal) => Promise<1 | 0 | -1 | undefined>) | undefined;
  /** When candidates are pruned. */
  stagesOf: (promptTokens: number) => readonly TokenStage[] | Promise<readonly TokenStage[]>;
  /** Sees the engine's events of all candidates as they come, and then `chosen`. */
  observe?: ((event: BestOfEvent) => void) | undefined;
}

const progressIntervalMs = 100;

/**
 * Runs a request whose `n` is the number of candidates. Aborting the signal, or leaving the loop, frees all rows before
 * the next step.
 * @throws the signal's reason; what the engine throws, with `best_of` as the field at fault where N is; what the reward
 * model throws, unless the request names a fallback
 */
export async function* bestOfN(
  request: GenerateRequest,
  options: BestOfOptions,
  resources: BestOfResources,
  signal: AbortSignal,
): AsyncGenerator<BestOfEvent, void, undefined> {
  const run = new Run(request, options, resources, signal);
  try {
    yield* run.events();
  } finally {
    run.dispose();
  }
}

class Run {
  readonly #request: GenerateRequest;
  readonly #options: BestOfOptions;
  readonly #resources: BestOfResources;
  readonly #signal: AbortSignal;
  /** Ends sampling, scoring and judging: the client has left, the time is over, or the request has failed. */
  readonly #cancellation = new AbortController();
  readonly #generation: Generating;
  readonly #rewards: RewardRequests | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #startedMs = performance.now();
  /** Resolves when the candidates are settled or the run is stopped. */
  readonly #settled: Promise<void>;
  #settle = (): void => {};
  readonly #strategy: ActiveStrategy;
  #set: CandidateSet | undefined;
  #start: { event: StartEvent; atMs: number } | undefined;
  #end: Extract<GenerateEvent, { type: "end" }> | undefined;
  /** Tokens of the candidates whose `finish` was streamed, by index. */
  readonly #streamed = new Map<number, number>();
  #willDecide = false;
  #allowedTokens: number | undefined;
  #progressMs = -Infinity;
  #rewardError: unknown;
  #isTimeOver = false;
  #deadlineHit = false;

  constructor(request: GenerateRequest, options: BestOfOptions, resources: BestOfResources, signal: AbortSignal) {
    this.#options = options;
    this.#resources = resources;
    this.#signal = signal;
    this.#strategy = new ActiveStrategy(options.strategy, options.rewardFallback, resources.compare !== undefined);
    this.#settled = new Promise((resolve) => (this.#settle = resolve));
    const sumLogprobs = options.strategy === "logprob" || options.rewardFallback === "logprob";
    this.#request = { ...request, sumLogprobs, failAlone: true, pacing: pacingOf(options) };
    this.#allowedTokens = this.#request.pacing?.tokens;
    this.#generation = resources.generate(this.#request, this.#cancellation.signal);
    this.#rewards =
      resources.reward &&
      new RewardRequests(resources.reward, this.#cancellation.signal, {
        rewarded: (kind, texts, rewards, error) => {
          texts.forEach((text, at) => this.#set?.setReward(kind, text, rewards[at]));
          this.#rewardError ??= error;
          this.#decide();
        },
        failed: (kind, error) => {
          if (this.#cancellation.signal.aborted) return;
          // Without a model for prefixes the answers are as good; they only cost more.
          if (kind === "prefixes") this.#set?.stopPruning();
          else this.#fallBack(error);
          this.#decide();
        },
      });
  }

  async *events(): AsyncGenerator<BestOfEvent, void, undefined> {
    this.#signal.addEventListener("abort", this.#cancel);
    if (this.#signal.aborted) this.#cancel();
    this.#startTimers();
    try {
      yield* this.#sample();
      if (this.#set !== undefined) await this.#settled;
    } catch (error) {
      if (!this.#cancellation.signal.aborted) throw asBestOfError(error);
    }
    this.#throwIfStopped();
    yield* this.#result(await this.#rank());
  }

  /** Frees all that the request holds, wherever it was left. */
  dispose(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#signal.removeEventListener("abort", this.#cancel);
    this.#cancellation.abort(new BonsaiError("cancelled", "The candidates are no longer wanted."));
  }

  readonly #cancel = (): void => this.#stop(this.#signal.reason);

  /** Ends the run, which then throws the reason, except at the deadline. */
  #stop(reason: unknown): void {
    this.#cancellation.abort(reason);
    this.#settle();
  }

  #throwIfStopped(): void {
    if (!this.#isTimeOver) this.#cancellation.signal.throwIfAborted();
  }

  #startTimers(): void {
    const { deadlineMs } = this.#options;
    if (deadlineMs === undefined) return;
    const reserveMs = this.#strategy.scoredBy === "reward" ? (this.#resources.reward?.pace.reserveMs(this.#request.n, deadlineMs) ?? 0) : 0;
    this.#timers.push(
      setTimeout(() => this.#cut(), deadlineMs - reserveMs),
      setTimeout(() => this.#expire(), deadlineMs),
    );
  }

  /**
   * Follows the engine's events to their end. A client that reads slowly pauses this loop, and nothing else is queued
   * here.
   */
  async *#sample(): AsyncGenerator<BestOfEvent, void, undefined> {
    const { stream } = this.#options;
    for await (const event of this.#generation) {
      this.#resources.observe?.(event);
      if (event.type === "start") await this.#begin(event);
      else if (event.type === "delta") this.#set?.append(event);
      else if (event.type === "finish") this.#finish(event);
      else this.#end = event;
      this.#decideAfterStep();
      if (stream === "progress") yield* this.#progress();
      else if (stream === "candidates" && event.type !== "end") {
        if (event.type === "finish") this.#streamed.set(event.index, event.completionTokens);
        yield event;
      }
    }
  }

  async #begin(event: StartEvent): Promise<void> {
    this.#start = { event, atMs: performance.now() };
    const { seed, n } = this.#request;
    const stages = await this.#resources.stagesOf(event.promptTokens);
    const hasPrefixModel = this.#resources.reward?.prefixes !== undefined;
    this.#set = new CandidateSet({ ...this.#options, candidates: n, seed, stages, scoredBy: this.#strategy.scoredBy, hasPrefixModel });
  }

  #finish({ index, reason, outputs }: Extract<GenerateEvent, { type: "finish" }>): void {
    const candidate = this.#set?.candidates[index];
    if (candidate === undefined) return;
    const ofOutputs = this.#resources.reward?.ofOutputs;
    if (candidate.isRunning && outputs !== undefined && ofOutputs !== undefined)
      this.#set?.setReward("answers", candidate.text, ofOutputs(outputs, candidate.text));
    this.#set?.finish(index, reason);
  }

  /**
   * The events of one step come one by one. What follows from them waits for the last, so that its scores are requested
   * in one batch.
   */
  #decideAfterStep(): void {
    if (this.#willDecide) return;
    this.#willDecide = true;
    setImmediate(() => {
      this.#willDecide = false;
      this.#decide();
    });
  }

  /** Has the engine drop what the set drops, and requests the scores that it needs. */
  #decide(): void {
    const set = this.#set;
    if (set === undefined || this.#cancellation.signal.aborted) return;
    set.decide();
    const dropped = set.takeDropped();
    if (dropped.length > 0) this.#generation.drop(dropped);
    this.#proceed(set);
    if (this.#rewards !== undefined && !this.#rewards.isWaiting) this.#rewards.request(set.takeUnscored());
    if (set.isSettled) this.#settle();
  }

  /** Lets the candidates go on to what is decided next. */
  #proceed(set: CandidateSet): void {
    if (this.#request.pacing === undefined) return;
    const settled = set.takeSettled();
    if (set.allowedTokens === this.#allowedTokens && settled.length === 0) return;
    this.#allowedTokens = set.allowedTokens;
    this.#generation.proceed(this.#allowedTokens, settled);
  }

  /** The reward model or the judge has failed: goes on without it if the request allows that, and else stops. */
  #fallBack(error: unknown): void {
    if (this.#strategy.fallback !== undefined) return;
    if (!this.#strategy.fallBack()) return this.#stop(error);
    this.#set?.scoreWithoutRewards(this.#strategy.fallback === "logprob" ? "logprob" : "none");
  }

  /** Sampling ends early enough before the deadline for the answers to be scored. */
  #cut(): void {
    if (this.#set === undefined) return;
    this.#deadlineHit ||= this.#set.isSampling;
    this.#set.cut();
    this.#decide();
  }

  /** At the deadline itself nothing is waited for any more. */
  #expire(): void {
    this.#deadlineHit ||= this.#set?.isSettled !== true;
    this.#set?.cut();
    this.#set?.closeScoring();
    this.#isTimeOver = true;
    this.#stop(new BonsaiError("cancelled", "The deadline of the request is over."));
  }

  /** All candidates, best first. */
  async #rank(): Promise<RankedCandidate[]> {
    const set = this.#set;
    if (set === undefined) return [];
    try {
      const ranking = await this.#rankBy(set);
      const hasReward = set.candidates.some((candidate) => candidate.isEligible && set.scoreOf(candidate) !== undefined);
      if (hasReward || this.#rewardError === undefined || this.#strategy.scoredBy !== "reward" || this.#deadlineHit) return ranking;
      this.#fallBack(this.#rewardError);
    } catch (error) {
      this.#throwIfStopped();
      this.#fallBack(error);
    }
    this.#throwIfStopped();
    return this.#rankBy(set);
  }

  #rankBy(set: CandidateSet): Promise<RankedCandidate[]> {
    const { softTemperature, voteOn } = this.#options;
    return rankCandidates(set.candidates, {
      strategy: this.#strategy.ranksBy,
      softTemperature,
      voteOn,
      seed: this.#request.seed,
      scoreOf: (candidate) => set.scoreOf(candidate),
      compare: (first, second) => this.#compare(set, set.candidates[first]!, set.candidates[second]!),
    });
  }

  /** By the judge, or by rewards where there is none. A judge that has not answered at the deadline has no opinion. */
  async #compare(set: CandidateSet, first: Candidate, second: Candidate): Promise<1 | 0 | -1 | undefined> {
    const { compare } = this.#resources;
    if (first.text === second.text) return 0;
    if (compare === undefined) {
      const [one, other] = [set.scoreOf(first), set.scoreOf(second)];
      return one === undefined || other === undefined ? undefined : (Math.sign(one - other) as 1 | 0 | -1);
    }
    try {
      // Each comparison has a signal of its own: those of a round run at once, and Node warns of more than ten
      // listeners of one signal.
      if (!this.#isTimeOver) return await compare(first.text, second.text, AbortSignal.any([this.#cancellation.signal]));
    } catch (error) {
      if (!this.#isTimeOver) throw error;
    }
    this.#deadlineHit = true;
    return undefined;
  }

  *#result(ranking: readonly RankedCandidate[]): Generator<BestOfEvent, void, undefined> {
    const candidates = this.#set?.candidates ?? [];
    const { strategy, returned, rewardModel, stream } = this.#options;
    const timings = this.#timings();
    const report = reportOf(candidates, ranking, returned, {
      strategy,
      rewardModel,
      fallback: this.#strategy.fallback,
      deadlineHit: this.#deadlineHit,
      timings,
    });
    let countedTokens = [...this.#streamed.values()].reduce((sum, tokens) => sum + tokens, 0);
    const rest =
      stream === "candidates"
        ? unfinishedEvents(candidates, this.#request.n, this.#start?.event, this.#streamed)
        : chosenEvents(candidates, ranking, returned, this.#start?.event);
    for (const event of rest) {
      if (event.type === "finish") countedTokens += event.completionTokens;
      yield event;
    }
    const chosen: BestOfEvent = { type: "chosen", report, otherTokens: report.tokensGenerated - countedTokens };
    this.#resources.observe?.(chosen);
    yield chosen;
    const { queueMs, prefillMs, decodeMs } = timings;
    yield { type: "end", timings: { queueMs, prefillMs, decodeMs } };
  }

  /** The engine's own, or those measured here where the request did not wait for the engine's. */
  #timings(): BestOfTimings {
    const nowMs = performance.now();
    const startMs = this.#start?.atMs ?? nowMs;
    const measured = { queueMs: startMs - this.#startedMs, prefillMs: 0, decodeMs: nowMs - startMs };
    return { ...(this.#end?.timings ?? measured), rewardMs: this.#rewards?.waitedMs ?? 0 };
  }

  *#progress(): Generator<BestOfEvent, void, undefined> {
    const nowMs = performance.now();
    if (this.#set?.isSampling !== true || nowMs - this.#progressMs < progressIntervalMs) return;
    this.#progressMs = nowMs;
    yield { type: "progress", candidates: this.#set.progress };
  }
}

/** Candidates wait for what may drop them: for stages, which are known once the prompt is, and for scores of ends. */
function pacingOf({ prune, targetReward, sampleCost }: BestOfOptions): Pacing | undefined {
  const waitsForEnds = targetReward !== undefined || sampleCost !== undefined;
  if (prune === "off" && !waitsForEnds) return undefined;
  return { tokens: prune === "off" ? Infinity : 0, waitsForEnds };
}

/** The engine knows the candidates as `n`; the request called them `best_of`. */
function asBestOfError(error: unknown): unknown {
  if (!(error instanceof BonsaiError) || error.param !== "n") return error;
  return new BonsaiError(error.code, error.message, { param: "best_of", cause: error });
}
