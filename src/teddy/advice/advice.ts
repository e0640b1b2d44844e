/** @file All advice of this world, right and wrong, by id. The generator and the judge share it. */

import type { Advice } from "./entry.ts";
import { careAdvice } from "./care.ts";
import { cleaningAdvice } from "./cleaning.ts";
import { lifeAdvice } from "./life.ts";
import { repairAdvice } from "./repair.ts";
import { wrongAdvice } from "./wrong.ts";

export const advices = { ...cleaningAdvice, ...careAdvice, ...repairAdvice, ...lifeAdvice, ...wrongAdvice } as const satisfies Record<
  string,
  Advice
>;

export type AdviceId = keyof typeof advices;
export const adviceIds = Object.keys(advices) as AdviceId[];

export function adviceOf(id: AdviceId): Advice {
  return advices[id];
}

/** Wrong whatever the question. */
export const alwaysWrong = Object.keys(wrongAdvice) as AdviceId[];
