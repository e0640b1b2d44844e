/**
 * @file The inventories hold together: whatever is said one way or another is recognised as itself and as nothing else,
 * and is covered by the grammar.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { adviceIds, adviceOf, type AdviceId } from "../../src/teddy/advice/advice.ts";
import { negativeLeads } from "../../src/teddy/language/answer-frames.ts";
import { advisesDanger, givesDangerReason } from "../../src/teddy/judge/danger-mentions.ts";
import { dangerIds, dangerOf, safeWays, type DangerId } from "../../src/teddy/world/dangers.ts";
import { coverageOf } from "../../src/teddy/judge/sentence-coverage.ts";
import { bearSlots } from "../../src/teddy/world/question-facts.ts";
import { compilePattern, mentionsOf, readText } from "../../src/teddy/language/recognition.ts";
import { fabrics } from "../../src/teddy/world/slots.ts";
import { capitalised } from "../../src/teddy/language/template.ts";
import { topics } from "../../src/teddy/world/topics.ts";
import { slotsOf, truth, verdictsOf } from "../../src/teddy/world/truth.ts";
import { expansionsOf } from "./expansions.ts";

/** Every expansion of a template for one bear. */
function expansions(template: string): string[] {
  return expansionsOf(template, bearSlots({ topic: "stain", name: "Otto", fabric: "plush", mishap: "juice" }));
}

const patterns = new Map(adviceIds.map((id) => [id, adviceOf(id).keys.map(compilePattern)]));

function affirmedAdvice(text: string): AdviceId[] {
  const read = readText(text);
  return adviceIds.filter((id) => mentionsOf(read, patterns.get(id)!).affirmed > 0);
}

function affirmedDangers(text: string): DangerId[] {
  const read = readText(text);
  return dangerIds.filter((id) => advisesDanger(read, id));
}

describe("each piece of advice", () => {
  for (const id of adviceIds) {
    it(`is recognised as itself alone, however it is said: ${id}`, () => {
      for (const clause of adviceOf(id).say.flatMap(expansions)) {
        assert.deepEqual(affirmedAdvice(`${capitalised(clause)}.`), [id], clause);
        assert.deepEqual(affirmedDangers(`${capitalised(clause)}.`), [], clause);
        assert.equal(coverageOf(clause), 1, clause);
      }
    });
  }

  it("is taken back by every lead against it", () => {
    for (const id of adviceIds) {
      for (const template of adviceOf(id).say) {
        for (const lead of negativeLeads) {
          const text = `${lead}${expansions(template)[0]!}.`;
          assert.ok(!affirmedAdvice(text).includes(id), text);
        }
      }
    }
  });

  it("has reasons that say nothing else", () => {
    for (const id of adviceIds) {
      for (const template of adviceOf(id).say) {
        for (const why of adviceOf(id).why.flatMap(expansions)) {
          const text = `${capitalised(expansions(template)[0]!)}, because ${why}.`;
          assert.deepEqual(affirmedAdvice(text), [id], text);
          assert.deepEqual(affirmedDangers(text), [], text);
          assert.equal(coverageOf(text), 1, text);
        }
      }
    }
  });
});

describe("each danger", () => {
  for (const id of dangerIds) {
    it(`is recognised when advised, and not when warned of: ${id}`, () => {
      const { say, why } = dangerOf(id);
      // To mix bleach is to use it.
      const advised = id === "mixCleaners" ? ["bleach", id] : [id];
      for (const clause of say.flatMap(expansions)) {
        assert.deepEqual(affirmedDangers(`You can ${clause}.`), advised, clause);
        for (const lead of negativeLeads) assert.deepEqual(affirmedDangers(`${lead}${clause}.`), [], `${lead}${clause}`);
      }
      for (const reason of why.flatMap(expansions)) {
        const text = `Do not ${expansions(say[0]!)[0]!}, because ${reason}.`;
        assert.deepEqual(affirmedDangers(text), [], text);
        assert.ok(givesDangerReason(readText(text)[0]!, id), text);
        assert.equal(coverageOf(text), 1, text);
      }
    });
  }

  it("has a safe way to the same end, one for each fabric where that decides", () => {
    for (const id of dangerIds) for (const fabric of fabrics) assert.ok(safeWays(id, { topic: dangerOf(id).topic, fabric }).length > 0, id);
  });
});

describe("the truth", () => {
  it("gives each topic two points, each known for every value of its slot", () => {
    for (const topic of topics) {
      for (const point of truth[topic]) {
        if (point.by !== "nothing") assert.ok(slotsOf(topic).has(point.by));
        for (const id of point.by === "nothing" ? [point.advice] : Object.values(point.advice))
          assert.ok(adviceIds.includes(id), `${topic}: ${id}`);
      }
    }
  });

  it("never calls an advice right and wrong at once", () => {
    for (const topic of topics) {
      for (const fabric of fabrics) {
        const { points, wrong } = verdictsOf({ topic, fabric, mishap: "ink", asker: "parent" });
        for (const id of points.flat()) assert.ok(!wrong.has(id), `${topic}: ${id}`);
      }
    }
  });

  it("calls what is right for mohair wrong for velvet, and the other way round", () => {
    assert.ok(verdictsOf({ topic: "washing", fabric: "velvet" }).wrong.has("cleanWithFoam"));
    assert.ok(verdictsOf({ topic: "washing", fabric: "mohair" }).wrong.has("wipeAlongPile"));
    assert.deepEqual(verdictsOf({ topic: "washing", fabric: "mohair", asker: "child" }).points, [["cleanWithFoam"], ["askGrownUp"]]);
  });

  it("lets any fabric's advice pass where the question does not say which fabric", () => {
    assert.equal(verdictsOf({ topic: "drying" }).points[0].length, 5);
  });

  it("uses every piece of advice somewhere", () => {
    const used = new Set<AdviceId>(
      topics.flatMap((topic) => truth[topic].flatMap((point) => (point.by === "nothing" ? [point.advice] : Object.values(point.advice)))),
    );
    const { wrong } = verdictsOf({ topic: "story" });
    const instead = new Set(dangerIds.map((id) => dangerOf(id).instead));
    assert.deepEqual(
      adviceIds.filter((id) => !used.has(id) && !wrong.has(id) && !instead.has(id)),
      [],
    );
  });
});
