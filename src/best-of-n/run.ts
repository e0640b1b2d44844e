/** @file Best-of-N: samples N answers to one prompt, asks for scores, drops what the contest drops, and gives back the best. Effects only. */

import { EventQueue } from "../engine/worker/event-queue.ts";
import type { GenerateEvent, GenerateRequest, Generating } from "../engine/contract/request.ts";
import { BonsaiError } from "../errors/bonsai-error.ts";
import type { Candidate } from "./candidate.ts";
import { choose } from "./strategies/choose.ts";
import { Contest, type ScoreSource } from "./candidate-set.ts";
import type { BestOfEvent } from "./events.ts";
import { Judging, type Judged } from "./judging.ts";
import type { BestOfOptions, Strategy } from "./options.ts";
import type { Standing } from "./strategies/ranking.ts";
import { reportOf, type BestOfReport, type BestOfTimings } from "./report.ts";
import type { BestOfResources } from "./resources.ts";
import { progressOf, tellChosen, tellRest } from "./telling.ts";

/** What the loop hears, one thing at a time. */
type Message =
  | { type: "event"; event: GenerateEvent }
  | { type: "failed"; error: unknown }
  | Judged
  /** All events of one step have been heard. */
  | { type: "heard" }
  | { type: "tick" | "cut" | "deadline" };

const progressIntervalMs = 100;

/**
 * Runs a request whose `n` is the number of candidates. Aborting the signal, or leaving the loop, frees all rows before the next step.
 * @throws BonsaiError what the engine throws, with `best_of` as the field at fault where N is; what the reward model throws, unless the
 * request names a fallback
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
  readonly #cancellation = new AbortController();
  readonly #inbox = new EventQueue<Message>();
  readonly #startedMs = performance.now();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #deadline = new AbortController();
  readonly #sampling: Generating;
  readonly #judging: Judging | undefined;
  #strategy: Strategy;
  #contest: Contest | undefined;
  #start: Extract<GenerateEvent, { type: "start" }> | undefined;
  #startMs: number | undefined;
  #end: Extract<GenerateEvent, { type: "end" }> | undefined;
  /** Tokens of the candidates that have told of their end, where candidates are streamed. */
  readonly #finished = new Map<number, number>();
  #isHearing = false;
  #tickWaits = false;
  #shown = "";
  #rewardError: unknown;
  #fallback: BestOfReport["fallback"];
  #deadlineHit = false;

  constructor(request: GenerateRequest, options: BestOfOptions, resources: BestOfResources, signal: AbortSignal) {
    this.#options = options;
    this.#resources = resources;
    this.#signal = signal;
    this.#strategy = options.strategy;
    const sumLogprobs = options.strategy === "logprob" || options.rewardFallback === "logprob";
    this.#request = { ...request, sumLogprobs, failAlone: true };
    this.#sampling = resources.generate(this.#request, this.#cancellation.signal);
    const { reward } = resources;
    this.#judging = reward && new Judging(reward, this.#cancellation.signal, (judged) => this.#inbox.push(judged));
  }

  async *events(): AsyncGenerator<BestOfEvent, void, undefined> {
    this.#begin();
    for await (const message of this.#inbox) {
      yield* this.#handle(message);
      if (this.#isOver()) break;
    }
    const standings = await this.#standings();
    yield* this.#result(standings);
  }

  /** Frees all that the request holds, at whatever point it was left. */
  dispose(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#signal.removeEventListener("abort", this.#cancel);
    this.#cancellation.abort(new BonsaiError("cancelled", "The candidates are no longer wanted."));
    this.#deadline.abort();
  }

  readonly #cancel = (): void => {
    this.#inbox.fail(this.#signal.reason as Error);
    this.#cancellation.abort(this.#signal.reason);
  };

  #begin(): void {
    this.#signal.addEventListener("abort", this.#cancel);
    if (this.#signal.aborted) this.#cancel();
    void this.#pump();
    const { deadlineMs, stream } = this.#options;
    if (stream === "progress") {
      const timer = setInterval(() => {
        // A client that reads slowly is told less often.
        if (!this.#tickWaits) this.#inbox.push({ type: "tick" });
        this.#tickWaits = true;
      }, progressIntervalMs);
      this.#timers.push(timer);
    }
    if (deadlineMs === undefined) return;
    const reserveMs = this.#scoredBy() === "reward" ? (this.#resources.reward?.pace.reserveMs(this.#request.n, deadlineMs) ?? 0) : 0;
    this.#timers.push(
      setTimeout(() => this.#inbox.push({ type: "cut" }), deadlineMs - reserveMs),
      setTimeout(() => {
        this.#deadline.abort();
        this.#inbox.push({ type: "deadline" });
      }, deadlineMs),
    );
  }

  async #pump(): Promise<void> {
    try {
      for await (const event of this.#sampling) this.#inbox.push({ type: "event", event });
    } catch (error) {
      this.#inbox.push({ type: "failed", error });
    }
  }

  *#handle(message: Message): Generator<BestOfEvent, void, undefined> {
    switch (message.type) {
      case "event":
        yield* this.#hear(message.event);
        this.#whenHeard();
        return;
      case "failed":
        if (this.#end === undefined && !this.#deadlineHit) throw asBestOfError(message.error);
        break;
      case "rewards": {
        const { rewards, error } = message.asked;
        message.texts.forEach((text, at) => this.#contest?.scored(message.of, text, rewards[at]));
        this.#rewardError ??= error;
        this.#judging?.heard();
        break;
      }
      case "unrewarded":
        this.#judging?.heard();
        // Without a judge of beginnings the answers are as good; they only cost more.
        if (message.of === "beginnings" && !this.#signal.aborted) this.#contest?.keepAll();
        else this.#fallBack(message.error);
        break;
      case "heard":
        this.#isHearing = false;
        break;
      case "tick":
        this.#tickWaits = false;
        if (this.#contest?.isSampling === true) yield* this.#progress();
        break;
      case "cut":
      case "deadline":
        this.#cut(message.type === "deadline");
        break;
      default:
        message satisfies never;
    }
    this.#followContest();
  }

  *#hear(event: GenerateEvent): Generator<BestOfEvent, void, undefined> {
    if (event.type === "start") {
      this.#start = event;
      this.#startMs = performance.now();
      const { seed, n } = this.#request;
      const stages = this.#resources.stagesOf(event.promptTokens);
      const judgesBeginningsApart = this.#resources.reward?.beginnings !== undefined;
      this.#contest = new Contest({ ...this.#options, candidates: n, seed, stages, scoredBy: this.#scoredBy(), judgesBeginningsApart });
      if (this.#options.stream === "progress") yield* this.#progress();
    } else if (event.type === "delta") {
      const { text, tokenIds, logprobs, logprobSum } = event;
      this.#contest?.grew(event.index, { text, tokenIds, logprobs }, logprobSum);
    } else if (event.type === "finish") {
      this.#contest?.ended(event.index, event.reason);
      if (this.#options.stream === "candidates") this.#finished.set(event.index, event.completionTokens);
    } else this.#end = event;
    if (this.#options.stream === "candidates" && event.type !== "end") yield event;
  }

  /** What one step gave to all rows comes event by event; what follows from it waits for the last, so that scores are asked for in one batch. */
  #whenHeard(): void {
    if (this.#isHearing) return;
    this.#isHearing = true;
    setImmediate(() => this.#inbox.push({ type: "heard" }));
  }

  /** Does what the contest has decided. */
  #followContest(): void {
    const contest = this.#contest;
    if (contest === undefined) return;
    contest.decide();
    const dropped = contest.takeDropped();
    if (dropped.length > 0) this.#sampling.drop(dropped);
    if (this.#judging !== undefined && !this.#judging.isWaiting) this.#judging.ask(contest.takeUnscored());
  }

  #scoredBy(): ScoreSource {
    if (this.#strategy === "max" || this.#strategy === "soft") return this.#fallback === "first" ? "none" : "reward";
    return this.#strategy === "logprob" ? "logprob" : "none";
  }

  /** Without a reward model: as the request wants it. */
  #fallBack(error: unknown): void {
    if (this.#fallback !== undefined) return;
    const { rewardFallback } = this.#options;
    if (rewardFallback === "error" || this.#signal.aborted) throw error;
    this.#fallback = rewardFallback;
    if (rewardFallback === "logprob") this.#strategy = "logprob";
    this.#contest?.scoreWithoutRewards(rewardFallback === "logprob" ? "logprob" : "none");
  }

  #cut(isDeadline: boolean): void {
    const contest = this.#contest;
    if (contest === undefined) {
      // Nothing has begun: there is nothing to keep.
      if (isDeadline) this.#deadlineHit = true;
      return;
    }
    if (contest.isSampling || (isDeadline && !contest.isSettled)) this.#deadlineHit = true;
    contest.cut();
    if (isDeadline) contest.closeScoring();
  }

  #isOver(): boolean {
    if (this.#deadline.signal.aborted && this.#deadlineHit) return true;
    return this.#end !== undefined && this.#contest?.isSettled === true;
  }

  /** All candidates, best first. */
  async #standings(): Promise<Standing[]> {
    const contest = this.#contest;
    if (contest === undefined) return [];
    try {
      const standings = await this.#choose(contest);
      const nobody = standings.every(({ score }) => score === undefined);
      if (!nobody || this.#rewardError === undefined || this.#scoredBy() !== "reward" || this.#deadlineHit) return standings;
      this.#fallBack(this.#rewardError);
    } catch (error) {
      this.#fallBack(error);
    }
    return this.#choose(contest);
  }

  #choose(contest: Contest): Promise<Standing[]> {
    const { softTemperature, voteOn } = this.#options;
    const isLost = this.#fallback === "first";
    return choose(contest.candidates, {
      strategy: isLost ? "max" : this.#strategy,
      softTemperature,
      voteOn,
      seed: this.#request.seed,
      scoreOf: (candidate) => contest.scoreOf(candidate),
      compare: (first, second) => this.#compare(contest.candidates[first]!, contest.candidates[second]!),
    });
  }

  /** A judge that has not answered when time is up has no opinion. */
  async #compare(first: Candidate, second: Candidate): Promise<1 | 0 | -1 | undefined> {
    const { compare } = this.#resources;
    if (compare === undefined || first.text === second.text) return 0;
    const { signal } = this.#deadline;
    if (signal.aborted) return undefined;
    const late = new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));
    return Promise.race([compare(first.text, second.text, this.#cancellation.signal), late]);
  }

  *#result(standings: readonly Standing[]): Generator<BestOfEvent, void, undefined> {
    const candidates = this.#contest?.candidates ?? [];
    const { strategy, returned, rewardModel, stream } = this.#options;
    const timings = this.#timings();
    const rest = { strategy, rewardModel, fallback: this.#fallback, deadlineHit: this.#deadlineHit, timings };
    const report = reportOf(candidates, standings, returned, rest);
    let toldTokens = sum(this.#finished.values());
    const telling =
      stream === "candidates"
        ? tellRest(candidates, this.#request.n, this.#start, new Set(this.#finished.keys()))
        : tellChosen(candidates, standings, returned, this.#start);
    for (const event of telling) {
      if (event.type === "finish") toldTokens += event.completionTokens;
      yield event;
    }
    yield { type: "chosen", report, otherTokens: report.tokensGenerated - toldTokens };
    const { queueMs, prefillMs, decodeMs } = timings;
    yield { type: "end", timings: { queueMs, prefillMs, decodeMs } };
  }

  /** The engine's own, or where the request did not wait for them, what was seen from here. */
  #timings(): BestOfTimings {
    const nowMs = performance.now();
    const seen = { queueMs: (this.#startMs ?? nowMs) - this.#startedMs, prefillMs: 0, decodeMs: nowMs - (this.#startMs ?? nowMs) };
    return { ...(this.#end?.timings ?? seen), rewardMs: this.#judging?.waitedMs ?? 0 };
  }

  *#progress(): Generator<BestOfEvent, void, undefined> {
    if (this.#contest === undefined) return;
    const candidates = progressOf(this.#contest);
    const shown = JSON.stringify(candidates);
    if (shown === this.#shown) return;
    this.#shown = shown;
    yield { type: "progress", candidates };
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

/** The engine knows sequences as `n`; the request called them something else. */
function asBestOfError(error: unknown): unknown {
  if (!(error instanceof BonsaiError) || error.param !== "n") return error;
  return new BonsaiError(error.code, error.message, { param: "best_of", cause: error });
}
