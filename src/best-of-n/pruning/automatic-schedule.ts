/**
 * @file Finds the pruning schedule for a reward model from measurements of it: the fewest tokens that keep nearly all
 * of the gain.
 */

import { normalPair } from "../../random/normal-pair.ts";
import { candidateSeed, uniform } from "../../random/philox.ts";
import type { PrefixMeasurement } from "../../engine/contract/reward-description.ts";
import { keptOfRunning, type TokenStage } from "./schedule.ts";

/**
 * The part of the unpruned gain in reward that a schedule must keep in the simulation below, so that 0.97 of the true
 * gain is kept. A reward model's score of a prefix shares the noise of its score of the whole answer: what pruning
 * loses by one, it loses by the other. A value model predicts a mean: what it drops was overrated as often as it was
 * good. So by the true score more is kept than by the reward, the more so with many candidates (the card of teddy-rm
 * has both).
 */
function leastKept({ valueModel }: PrefixMeasurement, candidates: number): number {
  if (valueModel === undefined) return 0.98;
  return candidates < 16 ? 0.94 : 0.9;
}

/** Parts of the running candidates that a stage may let through. */
const keepChoices = [1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4] as const;

/**
 * Cost of scoring a token, in units of sampling one: a reward model reads many tokens at a time, sampling gives one.
 */
const scoringCost = 0.2;

/** Groups that are simulated: fewer where each is larger, because the best of a larger group varies less. */
const trialCandidates = 8192;
const fewestTrials = 128;
const mostTrials = 512;
const trialSeed = 1;

/** A schedule that loses this much more than allowed in the first trials is not simulated in all of them. */
const firstTrials = 64;
const firstSlack = 0.03;

/** Simulated groups of N candidates. */
interface Trials {
  /** Final rewards [trial][candidate]. */
  finals: readonly Float64Array[];
  /** [length][trial]: the candidates by the reward of their prefix of that length, best first. */
  orders: readonly (readonly number[])[][];
}

/** How many candidates go on after a measured length. */
interface Cut {
  /** Index of the length. */
  place: number;
  count: number;
}

/**
 * Searches schedules of up to two stages at the measured lengths for the one that samples and scores the fewest tokens
 * among those that keep the gain. The search takes tens of milliseconds, and yields after each piece of about a
 * millisecond, so that a server can do other work in between.
 *
 * The model: final rewards of the candidates to one prompt are normal, the reward of a prefix has the measured
 * correlation with the final one, and a longer prefix tells all that a shorter one tells, so that rewards by length are
 * a Gaussian Markov chain. The gain of a schedule is simulated with draws that are always the same: equal arguments
 * give equal schedules. All answers are taken to have the mean length.
 */
function* search(measured: PrefixMeasurement, candidates: number, returned: number): Generator<void, TokenStage[], undefined> {
  const lengths = measured.correlations.filter(({ tokens, correlation }) => tokens < measured.meanTokens && correlation > 0);
  if (candidates <= returned || lengths.length === 0) return [];
  const correlations = lengths.map(({ correlation }) => correlation);
  const schedules: { stages: TokenStage[]; cuts: Cut[]; cost: number }[] = [];
  for (const places of placesOf(lengths.length)) {
    for (const keeps of keepsOf(places.length)) {
      const stages = places.map((place, at): TokenStage => ({ tokens: lengths[place]!.tokens, keep: keeps[at]! }));
      const counts = countsOf(stages, candidates, returned);
      const cost = costOf(stages, counts, candidates, measured.meanTokens);
      if (cost < candidates * measured.meanTokens)
        schedules.push({ stages, cost, cuts: places.map((place, at) => ({ place, count: counts[at]! })) });
    }
  }
  schedules.sort((one, other) => one.cost - other.cost);
  const trials = Math.max(fewestTrials, Math.min(mostTrials, Math.floor(trialCandidates / candidates)));
  const drawn = yield* drawTrials(correlations, candidates, trials);
  const [firstGain, gain] = [meanBest(drawn, firstTrials, returned, []), meanBest(drawn, trials, returned, [])];
  const least = leastKept(measured, candidates);
  for (const { stages, cuts } of schedules) {
    yield;
    // The first trials reject most schedules; all trials decide.
    if (meanBest(drawn, firstTrials, returned, cuts) < (least - firstSlack) * firstGain) continue;
    if (meanBest(drawn, trials, returned, cuts) >= least * gain) return stages;
  }
  return [];
}

/**
 * The schedule that a measurement allows. Holds the thread until it is found: a server takes `AutomaticSchedules`.
 * @param candidates N; N and `returned` are taken as the next powers of two
 * @param returned answers that come back
 * @returns no stages where pruning is not worth it
 */
export function automaticSchedule(measured: PrefixMeasurement, candidates: number, returned: number): TokenStage[] {
  const steps = search(measured, nextPowerOfTwo(candidates), nextPowerOfTwo(returned));
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/**
 * The automatic schedules of one server. Each is searched once, between other work of the thread. There are few of
 * them, because N and the number of returned answers are taken as the next powers of two: a client cannot make a server
 * search for hundreds.
 */
export class AutomaticSchedules {
  readonly #found = new WeakMap<PrefixMeasurement, Map<string, Promise<readonly TokenStage[]>>>();

  /** As `automaticSchedule`. */
  of(measured: PrefixMeasurement, candidates: number, returned: number): Promise<readonly TokenStage[]> {
    let schedules = this.#found.get(measured);
    if (schedules === undefined) this.#found.set(measured, (schedules = new Map()));
    const [rows, best] = [nextPowerOfTwo(candidates), nextPowerOfTwo(returned)];
    const key = `${rows} ${best}`;
    let stages = schedules.get(key);
    if (stages === undefined) schedules.set(key, (stages = inPieces(search(measured, rows, best))));
    return stages;
  }
}

/** The generator's result; whatever else waits for the thread runs between its steps. */
async function inPieces<T>(steps: Iterator<void, T>): Promise<T> {
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

const nextPowerOfTwo = (count: number): number => 2 ** Math.ceil(Math.log2(count));

/** The lengths of one stage, and of two, by their indexes. */
function* placesOf(lengths: number): Generator<number[], void, undefined> {
  for (let first = 0; first < lengths; first++) {
    yield [first];
    for (let second = first + 1; second < lengths; second++) yield [first, second];
  }
}

function* keepsOf(stages: number): Generator<number[], void, undefined> {
  for (const first of keepChoices) {
    if (stages === 1) yield [first];
    else for (const second of keepChoices) yield [first, second];
  }
}

/** Candidates that are left after each stage. */
function countsOf(stages: readonly TokenStage[], candidates: number, returned: number): number[] {
  const counts: number[] = [];
  for (const { keep } of stages) counts.push(keptOfRunning(keep, counts.at(-1) ?? candidates, 0, returned));
  return counts;
}

/** The part of the tokens that a schedule samples, of answers of the mean length, where one answer comes back. */
export function sampledShare(stages: readonly TokenStage[], candidates: number, meanTokens: number): number {
  return costOf(stages, countsOf(stages, candidates, 1), candidates, meanTokens, 0) / (candidates * meanTokens);
}

/** Tokens that are sampled, plus those that are scored times their cost. */
function costOf(
  stages: readonly TokenStage[],
  counts: readonly number[],
  candidates: number,
  meanTokens: number,
  tokenScoringCost = scoringCost,
): number {
  let [cost, running, tokens] = [0, candidates, 0];
  stages.forEach((stage, at) => {
    cost += running * (stage.tokens - tokens) + tokenScoringCost * running * stage.tokens;
    [running, tokens] = [counts[at]!, stage.tokens];
  });
  return cost + running * (meanTokens - tokens);
}

/** The mean of the best `returned` final rewards of those that the cuts leave, over the first `count` trials. */
function meanBest({ finals, orders }: Trials, count: number, returned: number, cuts: readonly Cut[]): number {
  let sum = 0;
  for (let trial = 0; trial < count; trial++) {
    const rewards = finals[trial]!;
    // How many cuts a candidate has passed.
    const passed = new Uint8Array(rewards.length);
    for (const [at, cut] of cuts.entries()) {
      let kept = 0;
      for (const candidate of orders[cut.place]![trial]!) {
        if (kept === cut.count) break;
        if (passed[candidate] !== at) continue;
        passed[candidate] = at + 1;
        kept++;
      }
    }
    const left = rewards.filter((_, candidate) => passed[candidate] === cuts.length);
    // Typed arrays sort as numbers, ascending.
    for (const score of left.toSorted().subarray(-returned)) sum += score / returned;
  }
  return sum / count;
}

/** From the longest length to the shortest: each length's reward is that of the next longer one, and noise. */
function* drawTrials(correlations: readonly number[], candidates: number, trials: number): Generator<void, Trials, undefined> {
  const finals: Float64Array[] = [];
  const orders: number[][][] = correlations.map(() => []);
  for (let trial = 0; trial < trials; trial++) {
    yield;
    const draws = normals(candidateSeed(trialSeed, trial + 1), candidates * (correlations.length + 1));
    const final = draws.subarray(0, candidates);
    finals.push(final);
    let longer = final;
    let correlation = 1;
    for (let place = correlations.length - 1; place >= 0; place--) {
      // A longer prefix tells at least as much: where the measurement says otherwise, that is its noise.
      const own = Math.min(correlations[place]!, correlation);
      const ratio = own / correlation;
      const noise = draws.subarray(candidates * (place + 1), candidates * (place + 2));
      const rewards = longer.map((value, candidate) => ratio * value + Math.sqrt(1 - ratio ** 2) * noise[candidate]!);
      [longer, correlation] = [rewards, own];
      orders[place]!.push([...rewards.keys()].toSorted((one, other) => rewards[other]! - rewards[one]!));
    }
  }
  return { finals, orders };
}

/** Standard normal numbers. */
function normals(seed: number, count: number): Float64Array {
  const numbers = new Float64Array(count);
  for (let at = 0; at < count; at += 2) {
    const [first, second] = normalPair(1 - uniform(seed, at), uniform(seed, at + 1), 1);
    numbers[at] = first;
    if (at + 1 < count) numbers[at + 1] = second;
  }
  return numbers;
}
