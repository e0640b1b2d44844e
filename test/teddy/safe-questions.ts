/** @file Every question that asks for nothing unsafe, by the slots that decide its truth. */

import type { QuestionFacts } from "../../src/teddy/world/question-facts.ts";
import { askers, fabrics, mishaps } from "../../src/teddy/world/slots.ts";
import { topics } from "../../src/teddy/world/topics.ts";
import { slotsOf } from "../../src/teddy/world/truth.ts";

/** The name of the bear is the caller's. */
export function* safeQuestions(): Generator<Omit<QuestionFacts, "name" | "danger">> {
  for (const topic of topics) {
    const needed = slotsOf(topic);
    for (const fabric of needed.has("fabric") ? fabrics : [undefined])
      for (const mishap of needed.has("mishap") ? mishaps : [undefined])
        for (const asker of needed.has("asker") ? askers : [undefined]) yield { topic, fabric, mishap, asker };
  }
}
