/** @file BLEU and ROUGE-L equal those of sacrebleu and rouge-score (test/oracle/text-overlap.py). */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { sentenceBleu, tokenize13a } from "../../src/judges/bleu.ts";
import { rougeL } from "../../src/judges/rouge-l.ts";

interface Golden {
  answer: string;
  references: string[];
  tokens: string;
  bleu: number;
  rougeL: number;
}

const goldens = JSON.parse(readFileSync(new URL("../oracle/text-overlap.json", import.meta.url), "utf8")) as Golden[];

describe("BLEU", () => {
  it("cuts text into the tokens of mteval-v13a", () => {
    for (const { answer, tokens } of goldens) assert.equal(tokenize13a(answer).join(" "), tokens);
  });

  it("equals sacrebleu's of single sentences", () => {
    for (const { answer, references, bleu } of goldens) {
      assert.ok(Math.abs(sentenceBleu(answer, references) - bleu) < 1e-9, `${answer}: ${sentenceBleu(answer, references)}, not ${bleu}`);
    }
  });
});

describe("ROUGE-L", () => {
  it("equals rouge-score's F-measure with the best reference", () => {
    for (const golden of goldens) {
      assert.ok(Math.abs(rougeL(golden.answer, golden.references) - golden.rougeL) < 1e-12, golden.answer);
    }
  });

  it("knows the words of other scripts", () => {
    assert.equal(rougeL("Медведь любит мёд", ["медведь любит мёд!"]), 1);
  });
});
