/** @file When requests of an open loop arrive: a Poisson process, the same in every run. */

import { uniform } from "../../src/random/philox.ts";

/**
 * Arrival times in milliseconds after the start: gaps are exponential with mean 1000 / rate, by inversion of uniform
 * draws.
 * @param rate requests a second
 * @param seconds no arrival is later
 */
export function poissonArrivals(rate: number, seconds: number, seed: number): number[] {
  const arrivals: number[] = [];
  let atMs = 0;
  for (let position = 0; ; position++) {
    atMs += (-Math.log(1 - uniform(seed, position)) * 1000) / rate;
    if (atMs >= seconds * 1000) return arrivals;
    arrivals.push(atMs);
  }
}
