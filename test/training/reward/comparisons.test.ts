/** @file Rows of preferences in all their forms become comparisons, and bad ones are told by file, line and field. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BonsaiError } from "../../../src/errors/bonsai-error.ts";
import { openModel } from "../../../src/formats/open-model.ts";
import { DecoderAnswerEncoder } from "../../../src/training/reward/answer-encoders.ts";
import {
  comparisonArrays,
  makeComparisonBatch,
  tokenArrays,
  type ComparisonBatch,
  type LossType,
} from "../../../src/training/reward/batch.ts";
import { readComparisons, type Comparison, type Comparisons } from "../../../src/training/reward/comparisons.ts";
import { readPreferenceRow, type PreferenceRow } from "../../../src/training/data/preference-row.ts";
import { RowData } from "../../../src/training/data/row-data.ts";
import { answerBatches, comparisonRows, layOutComparisons, sizesOf } from "../../../src/training/reward/comparison-rows.ts";
import { goldenPath } from "../../architectures/goldens.ts";
import { sharedDataPath, withoutSharedData } from "../../fixtures/real-models.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";
import { damaged, damages } from "../../formats/damage.ts";
import { assertRefused } from "../../formats/expect-error.ts";
import { soundLists, soundPairs } from "../preference/preference-rows.ts";
import { writeJsonLines } from "../data/sound-rows.ts";

const path = join(temporaryFolder(), "rows.jsonl");
const model = openModel(goldenPath("llama"));
model.weights.close();
const encoder = new DecoderAnswerEncoder(model, true);

const parse = (row: object): PreferenceRow => readPreferenceRow(row as Record<string, unknown>, { path: "f", line: 3 });
const user = { role: "user", content: "q" };
const assistant = { role: "assistant", content: "a" };

describe("a row of preferences", () => {
  test("is a pair or a list, of texts or of conversations, or of answers as texts to a conversation", () => {
    const text = parse({ prompt: "q", chosen: "a", rejected: "b", margin: 0.5 });
    assert.deepEqual(text.answers[1], { form: "text", prompt: "q", answer: "b" });
    assert.deepEqual(text.ranking, { ranks: [1, 2], margin: 0.5 });
    const mixed = parse({ prompt: [user], chosen: "a", rejected: [assistant] });
    assert.deepEqual(mixed.answers[0], { form: "messages", prompt: [user], answer: [assistant] });
    assert.deepEqual(mixed.answers[0], mixed.answers[1]);
    const whole = parse({ chosen: [user, assistant], rejected: [user, { role: "assistant", content: "c" }] });
    assert.deepEqual(whole.answers[0], { form: "messages", prompt: [], answer: [user, assistant] });
    const list = parse({ prompt: "q", completions: ["a", "b", "c"], ranks: [2, 1, 2] });
    assert.deepEqual([list.answers.length, list.ranking], [3, { ranks: [2, 1, 2] }]);
  });

  test("says by dimension whether the chosen answer is better, worse or equal", () => {
    const { dimensions } = parse({ prompt: "q", chosen: "a", rejected: "b", preferences: { useful: 1, safe: 0, kind: -1 }, judge: "me" });
    assert.deepEqual(
      [...dimensions].map(([name, { ranks }]) => [name, ...ranks]),
      [
        ["useful", 1, 2],
        ["safe", 1, 1],
        ["kind", 2, 1],
      ],
    );
  });

  const bad: [row: object, message: RegExp][] = [
    [{ prompt: "q" }, /f:3: the row has the keys "prompt"; it must be \{"prompt", "chosen"/],
    [{ prompt: "q", chosen: "a", completions: ["b"] }, /both "completions" and a pair/],
    [{ prompt: "q", chosen: "a" }, /f:3: rejected must be a text, not absent/],
    [{ prompt: 5, chosen: "a", rejected: "b" }, /f:3: prompt must be a text or a list/],
    [{ prompt: "q", chosen: [assistant], rejected: "b" }, /f:3: chosen must be a text/],
    [{ chosen: "a", rejected: [assistant] }, /f:3: rejected must be of the form of "chosen"/],
    [{ prompt: [user], chosen: [user], rejected: "b" }, /f:3: chosen\[0\]\.role must be "assistant"/],
    [{ prompt: [{ role: "user" }], chosen: "a", rejected: "b" }, /f:3: prompt\[0\]\.content must be a text/],
    [{ prompt: "q", chosen: "a", rejected: "b", margin: -1 }, /f:3: margin must be a number from 0, not -1/],
    [{ prompt: "q", chosen: "a", rejected: "b", margin: "1" }, /f:3: margin .* not a string/],
    [{ prompt: "q", chosen: "a", rejected: "b", preferences: { safe: 2 } }, /f:3: preferences\.safe must be 1/],
    [{ prompt: "q", chosen: "a", rejected: "b", preferences: [1] }, /f:3: preferences must be an object/],
    [{ prompt: "q", chosen: "a", rejected: "b", ranks: [1, 2] }, /f:3: ranks is of "completions"/],
    [{ prompt: "q", completions: ["a"], ranks: [1] }, /f:3: completions must be a list of 2 to 64 answers/],
    [{ prompt: "q", completions: ["a", "b"], ranks: [1] }, /f:3: ranks must be a list of 2 whole numbers/],
    [{ prompt: "q", completions: ["a", "b"], ranks: [1, 0] }, /f:3: ranks\[1\] must be a whole number from 1/],
    [{ prompt: "q", completions: ["a", "b"], ranks: [1, 2], margin: 1 }, /f:3: margin is of a pair/],
    [{ completions: ["a", [assistant]], ranks: [1, 2] }, /f:3: completions\[1\] must be of the form of the first/],
  ];
  for (const [row, message] of bad) {
    test(`is refused as ${JSON.stringify(row)}`, () => assertRefused(() => parse(row), "invalid_dataset", message));
  }

  test("of any bytes, and with any JSON in place of any field, is read or refused", () => {
    const readAny = (): void => {
      try {
        readComparisons([path], encoder, ["reward"], 32);
      } catch (error) {
        if (!(error instanceof BonsaiError) || error.code !== "invalid_dataset") throw error;
      }
    };
    const sound = Buffer.from([...soundPairs().slice(0, 2), ...soundLists().slice(0, 1)].map((row) => `${JSON.stringify(row)}\n`).join(""));
    fc.assert(
      fc.property(damages(sound.length, sound.length), (list) => {
        writeFileSync(path, damaged(sound, list));
        readAny();
      }),
      { numRuns: 200 },
    );
    const message = fc.record({ role: fc.oneof(fc.constantFrom("user", "assistant"), fc.jsonValue()), content: fc.jsonValue() });
    const answer = fc.oneof(fc.array(message, { maxLength: 3 }), fc.jsonValue());
    const fields = {
      prompt: answer,
      chosen: answer,
      rejected: answer,
      completions: fc.oneof(fc.array(answer, { maxLength: 4 }), fc.jsonValue()),
      ranks: fc.oneof(fc.array(fc.nat(3), { maxLength: 4 }), fc.jsonValue()),
      margin: fc.jsonValue(),
      preferences: fc.oneof(fc.dictionary(fc.string(), fc.integer({ min: -2, max: 2 })), fc.jsonValue()),
    };
    fc.assert(
      fc.property(fc.record(fields, { requiredKeys: [] }), (row) => {
        writeFileSync(path, JSON.stringify(row));
        readAny();
      }),
      { numRuns: 500 },
    );
  });
});

function read(rows: readonly object[], dimensions: readonly string[] = ["reward"], maxLength = 128): Comparisons {
  return readComparisons([writeJsonLines(path, rows)], encoder, dimensions, maxLength);
}

describe("comparisons", () => {
  test("rank by dimension what the row labels, and all in all what it chose", () => {
    const row = { prompt: "q", chosen: "a", rejected: "b", margin: 1, preferences: { kind: -1, other: 0 } };
    const ranks = (dimensions: string[]): unknown[] =>
      read([row, { ...row, preferences: { safe: 1 } }], dimensions).comparisons[0]!.rankings.map((ranking) => ranking?.ranks);
    assert.deepEqual(ranks(["kind", "safe"]), [[2, 1], undefined, [1, 2]]);
    assert.deepEqual(ranks(["reward"]), [[1, 2]], "one output is all in all");
    assert.deepEqual(ranks(["kind"]), [[2, 1]], "unless it is named");
    assertRefused(() => read([row], ["kind", "warm"]), "invalid_dataset", /no row says anything of the dimension "warm"/);
  });

  test("keep the ends of answers that are too long, and count what was cut and what was left out", () => {
    const long = { prompt: [{ role: "user", content: "x".repeat(50) }], chosen: "yes", rejected: "no" };
    const same = { prompt: [user], chosen: "a", rejected: "a" };
    const whole = read([long]).comparisons[0]!;
    const { comparisons, truncatedAnswers, truncatedTokens, identicalRows } = read([long, same], ["reward"], 20);
    assert.deepEqual([comparisons.length, truncatedAnswers, identicalRows], [1, 2, 1]);
    const lost = whole.answers.reduce((sum, { ids }) => sum + ids.length - 20, 0);
    assert.equal(truncatedTokens, lost);
    for (const [index, { ids }] of comparisons[0]!.answers.entries()) assert.deepEqual(ids, whole.answers[index]!.ids.slice(-20));
    assertRefused(() => read([same]), "invalid_dataset", /no row is left to compare answers by: in 1 /);
  });

  test("of a conversation are the whole rendering, and of texts end in the end of sequence", () => {
    const { answers } = read([{ prompt: "q", chosen: "a", rejected: "b" }]).comparisons[0]!;
    assert.equal(answers[0]!.ids.at(-1), model.eosTokenIds[0]);
    assert.equal(answers[0]!.ids.length, answers[1]!.ids.length);
  });

  let next = 0;
  for (const name of ["rasbt_polite", "ukp_convarg_strict", "hh_harmless_test", "llamafactory_dpo_en"]) {
    test(`are read from ${name}`, { skip: withoutSharedData(`preferences/${name}.jsonl`) }, () => {
      const file = sharedDataPath(`preferences/${name}.jsonl`)!;
      const { comparisons, identicalRows, files } = readComparisons(
        [file],
        { encode: () => ({ ids: Int32Array.of(next++), cutTokens: 0 }) },
        ["reward"],
        64,
      );
      assert.equal(comparisons.length + identicalRows, files[0]!.rows);
    });
  }
});

describe("rows of tokens", () => {
  const answers = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 4 });
  const comparisonsOf = (lengths: readonly (readonly number[])[]): Comparison[] => {
    let id = 0;
    return lengths.map((of) => ({
      answers: of.map((length) => ({ ids: Int32Array.from({ length }, () => ++id) })),
      rankings: [{ ranks: of.map((_, index) => index + 1) }],
    }));
  };

  test("hold every comparison whole, in each epoch once, within the sizes that were promised", () => {
    fc.assert(
      fc.property(
        fc.array(answers, { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom("bradley-terry" as const, "plackett-luce" as const),
        (lengths, isPacked, batchSize, lossType) => {
          const comparisons = comparisonsOf(lengths);
          const laidOut = layOutComparisons(comparisons, isPacked, 48);
          const sizes = sizesOf([laidOut], batchSize, ["reward"], lossType);
          const data = new RowData(comparisonRows(laidOut, lossType), { batchSize, accumulationSteps: 2, seed: 1, shuffle: true });
          const seen: number[] = [];
          for (let step = 0; step < data.stepsPerEpoch; step++) {
            for (const batch of data.batchesOf(step).batches) {
              const arrays = tokenArrays(batch, { rows: batchSize, length: 48 }, sizes.answers);
              comparisonArrays(batch, sizes, { weights: [1], centring: 0 });
              for (const [index, { ids }] of batch.answers.entries()) {
                assert.deepEqual(arrays.ids.slice(arrays.starts[index], arrays.ends[index]! + 1), ids);
                seen.push(ids[0]!);
              }
              const share = batch.groups.reduce((sum, group) => sum + group.share, 0);
              assert.ok(Math.abs(share - batch.labels) < 1e-9, "every comparison weighs 1");
            }
          }
          assert.deepEqual(seen.toSorted((a, b) => a - b), comparisons.flatMap((one) => one.answers.map(({ ids }) => ids[0]!))); // prettier-ignore
        },
      ),
      { numRuns: 100 },
    );
  });

  test("hold answers that are compared with none, in their order", () => {
    fc.assert(
      fc.property(answers, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 }), (lengths, rows, most) => {
        const all = comparisonsOf([lengths])[0]!.answers;
        const batches = answerBatches(all, { rows, length: 12 }, most);
        assert.deepEqual(batches.flatMap((batch) => batch.answers), all); // prettier-ignore
        for (const batch of batches) {
          assert.ok(batch.rows.length <= rows && batch.answers.length <= most);
          tokenArrays(batch, { rows, length: 12 }, most);
        }
      }),
    );
  });

  test("of a list by pairs refer to each of its answers, which are read once", () => {
    const [list] = comparisonsOf([[2, 3, 4]]);
    const batch = makeComparisonBatch([[list!]], "bradley-terry");
    assert.deepEqual([batch.answers.length, batch.groups.length, batch.labels], [3, 3, 1]);
    assert.deepEqual(
      batch.groups.map((group) => [...group.answers, ...group.rankings[0]!.ranks]),
      [
        [0, 1, 1, 2],
        [0, 2, 1, 3],
        [1, 2, 2, 3],
      ],
    );
  });

  test("may have more groups, and more answers, than a call takes arguments", () => {
    const answer = { ids: Int32Array.of(1) };
    const batchOf = (count: number, lossType: LossType): ComparisonBatch =>
      makeComparisonBatch([[{ answers: Array.from({ length: count }, () => answer), rankings: [undefined] }]], lossType);
    assert.equal(batchOf(600, "bradley-terry").groups.length, (600 * 599) / 2);
    assert.equal(batchOf(200_000, "plackett-luce").answers.length, 200_000);
  });
});
