/** @file The time of one run of a session. */

import type { Session, Tensor } from "../../../src/runtime/session.ts";
import { median } from "../../../src/statistics/quantiles.ts";

/** Milliseconds of the median of `runs` runs, of which one output is copied out. */
export async function medianRunMs(session: Session, feeds: Record<string, Tensor>, output: string, runs: number): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startMs = performance.now();
    await session.run(feeds, { [output]: null });
    times.push(performance.now() - startMs);
  }
  return median(times);
}
