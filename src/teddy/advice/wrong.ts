/** @file Advice that is wrong for every bear: what people do and should not. Pure data. */

import type { Advice } from "./entry.ts";

export const wrongAdvice = {
  rubHard: {
    say: ["rub the {stain} hard", "rub it hard with a [rough cloth|kitchen sponge]", "scrub {him} with a hard brush"],
    why: ["that is how floors are cleaned", "it needs some force"],
    keys: ["rub hard", "scrub"],
  },
  hotWater: {
    say: ["use very hot water", "pour hot water over {him}", "soak {him} in hot water"],
    why: ["hot is always cleaner", "it is quicker"],
    keys: ["use/pour/soak/wash/take hot water"],
  },
  tumbleDry: {
    say: ["use the tumble dryer [on hot|for an hour|]", "put {him} in the tumble dryer"],
    why: ["it saves time", "it makes everything fluffy"],
    keys: ["use/put/dry tumble"],
  },
  cutItOff: {
    say: ["cut [it|the bad part] off with scissors", "take the scissors and cut [it|the bad part] away"],
    why: ["it is the quickest way", "it grows back anyway"],
    keys: ["cut scissors"],
  },
  superglue: {
    say: ["use superglue", "stick it [together|on] with superglue", "put superglue on it"],
    why: ["glue holds everything", "sewing takes too long"],
    keys: ["use/stick/put superglue"],
  },
  plasticBag: {
    say: ["shut {him} in a plastic bag", "keep {him} in a plastic bag"],
    why: ["plastic keeps everything out", "it costs nothing"],
    keys: ["shut/keep/put plastic bag"],
  },
  perfume: {
    say: ["spray some perfume on {him}", "pour perfume over {him}"],
    why: ["then nobody notices", "it smells nice"],
    keys: ["spray/pour/put/use perfume"],
  },
  throwAway: {
    say: ["throw {him} away", "throw {him} away and buy another bear"],
    why: ["bears are cheap", "it is only a toy"],
    keys: ["throw away"],
  },
  doNothing: {
    say: ["ignore it", "forget about it", "do nothing at all"],
    why: ["it goes away by itself", "it hardly matters"],
    keys: ["ignore", "forget about", "do nothing"],
  },
} as const satisfies Record<string, Advice>;
