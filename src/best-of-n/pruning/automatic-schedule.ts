/** @file The pruning schedule that a reward model's own measurements allow: as few tokens as keep nearly all of the gain. */

import { candidateSeed, uniform } from "../../random/philox.ts";
import type { PrefixMeasurement } from "../../engine/contract/reward-description.ts";
import { keptOfRunning, type TokenStage } from "./schedule.ts";

/**
 * Part of the unpruned gain in reward that a schedule must keep by the model below, where 0.97 is wanted of the true gain. A reward model's word on beginnings
 * has the noise of its word on the whole, so that what is lost by one is lost by the other. A value model expects: what it drops is as often overrated as
 * good, and by gold more is left than by the reward, the more so of many candidates (teddy-rm's card has both).
 */
function leastKept({ valueModel }: PrefixMeasurement, candidates: number): number {
  if (valueModel === undefined) return 0.98;
  return candidates < 16 ? 0.94 : 0.9;
}

/** Parts of the running candidates that a stage may let through. */
const keepChoices = [1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4] as const;

/** What scoring a token costs, in units of sampling one: prompts are computed many tokens at a time, answers one by one. */
const scoringCost = 0.2;

/** Groups that are drawn: fewer where each is larger, since its best varies less. */
const trialCandidates = 8192;
const fewestTrials = 128;
const mostTrials = 512;
const trialSeed = 1;

/** A schedule that loses this much more than it may in the first trials is not tried in all. */
const firstTrials = 64;
const firstSlack = 0.03;

/** Groups of N candidates: final rewards, and for each measured length the candidates by the reward of their beginnings, best first. */
interface Trials {
  finals: readonly Float64Array[];
  /** [length][trial] */
  orders: readonly (readonly number[])[][];
}

/** At a measured length, by its place, so many candidates go on. */
interface Cut {
  place: number;
  count: number;
}

/**
 * Searches schedules of up to two stages at the measured lengths for the one that samples and scores the fewest tokens among those that keep the gain.
 *
 * The model: final rewards of the candidates to one prompt are normal, the reward of a beginning has the measured correlation with the final one, and
 * what a shorter beginning tells, a longer one tells as well, so that rewards by length are a Gaussian Markov chain. The gain of a schedule is
 * simulated with draws that are always the same: equal arguments give equal schedules. Answers are taken to be of the mean length.
 *
 * @param candidates N
 * @param returned answers that come back
 * @returns no stages where none is worth it
 */
export function automaticSchedule(measured: PrefixMeasurement, candidates: number, returned: number): TokenStage[] {
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
  const trials = Math.max(fewestTrials, Math.min(mostTrials, Math.floor(trialCandidates / candidates)));
  const drawn = drawTrials(correlations, candidates, trials);
  const [firstGain, gain] = [meanBest(drawn, firstTrials, returned, []), meanBest(drawn, trials, returned, [])];
  const least = leastKept(measured, candidates);
  // Some trials tell most schedules apart; all decide.
  const keepsGain = ({ cuts }: { cuts: readonly Cut[] }): boolean =>
    meanBest(drawn, firstTrials, returned, cuts) >= (least - firstSlack) * firstGain &&
    meanBest(drawn, trials, returned, cuts) >= least * gain;
  return schedules.toSorted((one, other) => one.cost - other.cost).find(keepsGain)?.stages ?? [];
}

/** Places of one stage, and of two. */
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

/** Tokens that a schedule samples of answers of the mean length, as a part of those without it, where one answer comes back. */
export function sampledShare(stages: readonly TokenStage[], candidates: number, meanTokens: number): number {
  return costOf(stages, countsOf(stages, candidates, 1), candidates, meanTokens, 0) / (candidates * meanTokens);
}

/** Tokens that are sampled, and those that are scored at their price. */
function costOf(
  stages: readonly TokenStage[],
  counts: readonly number[],
  candidates: number,
  meanTokens: number,
  priceOfScoring = scoringCost,
): number {
  let [cost, running, tokens] = [0, candidates, 0];
  stages.forEach((stage, at) => {
    cost += running * (stage.tokens - tokens) + priceOfScoring * running * stage.tokens;
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

/** From the end to the beginning: each length's reward is that of the next longer one, and noise. */
function drawTrials(correlations: readonly number[], candidates: number, trials: number): Trials {
  const finals: Float64Array[] = [];
  const orders: number[][][] = correlations.map(() => []);
  for (let trial = 0; trial < trials; trial++) {
    const draws = normals(candidateSeed(trialSeed, trial + 1), candidates * (correlations.length + 1));
    const final = draws.subarray(0, candidates);
    finals.push(final);
    let longer = final;
    let correlation = 1;
    for (let place = correlations.length - 1; place >= 0; place--) {
      // A longer beginning tells at least as much: where the measurement says otherwise, that is its noise.
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

/** Standard normal numbers, in pairs (Box and Muller 1958). */
function normals(seed: number, count: number): Float64Array {
  const numbers = new Float64Array(count);
  for (let at = 0; at < count; at += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, at)));
    const angle = 2 * Math.PI * uniform(seed, at + 1);
    numbers[at] = radius * Math.cos(angle);
    if (at + 1 < count) numbers[at + 1] = radius * Math.sin(angle);
  }
  return numbers;
}
