/**
 * @file What a judge is asked about policies, and what becomes of its word: a judge that is a rule, another that only
 * compares, and more answers than a judge takes at a time.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judgePolicies, type Judging, type SampledPolicy } from "../../../src/evaluation/policy/policy-judging.ts";
import { scoreTable, winTable } from "../../../src/evaluation/policy/policy-verdict-tables.ts";
import { judgeByLanguageModel } from "../../../src/judges/language-model.ts";
import { judgeByLength } from "../../../src/judges/rules.ts";
import { judgeByScore, mostAnswers, type JudgedAnswers } from "../../../src/judges/judges.ts";

const words = (count: number): string => Array.from({ length: count }, () => "bear").join(" ");
const rows = ["first", "second"].map((prompt) => ({ prompt, given: [], references: [] }));
const policy = (name: string, ...counts: number[][]): SampledPolicy => ({ name, answers: counts.map((of) => of.map(words)) });
const tuned = policy("tuned", [4, 2], [6, 6]);
const base = policy("base", [2, 4], [6, 3]);
const judging: Judging = { rows, policies: [tuned, base], baseline: "base", inFlight: 4, comparesAlone: false };
const untold = (): void => undefined;

describe("policies under a judge", () => {
  test("are compared answer by answer with the baseline, which is scored and not compared with itself", async () => {
    const judged = await judgePolicies(judgeByLength(), judging, untold);
    assert.deepEqual([...judged.wins.keys()], ["tuned"]);
    const { all, longer } = judged.wins.get("tuned")!;
    assert.equal(all!.share, (1 + 0 + 0.5 + 1) / 4);
    assert.equal(longer!.share, 1);
    assert.equal(judged.scores.get("tuned")!.get("")!.mean, (3 + 6) / 2);
    assert.equal(judged.scores.get("base")!.get("")!.mean, (3 + 4.5) / 2);
    const shownWins = winTable([judged], "base").join("\n");
    assert.match(
      shownWins,
      /^\| \| judge \| better than base \|.*\n.*\n\| tuned \| length \| 0\.625 \(0\.\d+ to [01]\.\d+\) \| 0\.500 \(.*\), 1 pairs \|/,
    );
    assert.match(scoreTable([judged]).join("\n"), /^\| mean score \| tuned \| base \|\n.*\n\| length \| 4\.500 ± [\d.]+ \| 3\.750 ±/);
  });

  test("are only scored without a baseline, by dimension where there are some", async () => {
    const halves = judgeByScore("halves", async ({ answers }, answer) => ({ score: answers[answer]!.length, dimensions: { one: 1 } }));
    const judged = await judgePolicies(halves, { ...judging, baseline: undefined }, untold);
    assert.equal(judged.wins.size, 0);
    assert.deepEqual(winTable([judged], undefined), []);
    assert.deepEqual([...judged.scores.get("base")!.keys()], ["", "one"]);
    assert.match(scoreTable([judged]).join("\n"), /\n\| halves: one \| 1\.000 ± 0\.000 \| 1\.000 ± 0\.000 \|$/);
  });

  test("are asked about in both orders and not marked by a language model, whose unreadable verdicts are counted", async () => {
    const asked: string[] = [];
    const model = {
      name: "m",
      answer: async ({ messages: [message], seed }: Parameters<Parameters<typeof judgeByLanguageModel>[1]["model"]["answer"]>[0]) => {
        asked.push(message!.content);
        // The first prompt's pairs go to the answer shown first, the second's are unreadable.
        return [{ text: message!.content.includes("user: first") ? "[[A]]" : "well", isCut: false, seed }];
      },
    };
    const judged = await judgePolicies(judgeByLanguageModel("llm=m", { model, seed: 0 }), { ...judging, comparesAlone: true }, untold);
    assert.ok(asked.length === 8 && asked.every((question) => question.includes("[Answer B]")));
    const { all, withoutOpinion } = judged.wins.get("tuned")!;
    assert.deepEqual([all!.share, all!.cases, withoutOpinion], [0.5, 2, 2]);
    assert.match(
      winTable([judged], "base").join("\n"),
      /50\.0% of 8 verdicts could not be read, 100\.0% of those that decide .* 100\.0% of 2 pairs/,
    );
  });

  test("are handed to a judge in parts where it would get more answers than it takes, each part with its own number", async () => {
    const many = (name: string): SampledPolicy => policy(name, Array.from({ length: 50 }, (_, at) => at), Array.from({ length: 50 }, () => 1)); // prettier-ignore
    const parts: JudgedAnswers[] = [];
    const length = judgeByLength();
    const spying = { ...length, compare: (judged: JudgedAnswers, first: number, second: number) => { if (parts.at(-1) !== judged) parts.push(judged); return length.compare(judged, first, second); } }; // prettier-ignore
    const judged = await judgePolicies(
      spying,
      { ...judging, policies: [many("a"), many("b"), many("c")], baseline: "c", inFlight: 1 },
      untold,
    );
    assert.ok(parts.every(({ answers }) => answers.length <= mostAnswers));
    assert.equal(new Set(parts.map(({ index }) => index)).size, 6);
    for (const name of ["a", "b"]) assert.deepEqual([judged.wins.get(name)!.all!.share, judged.wins.get(name)!.all!.cases], [0.5, 100]);
    assert.equal(judged.scores.get("a")!.get("")!.mean, (24.5 + 1) / 2);
  });
});
