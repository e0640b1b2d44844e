/** @file The card and the curves say what the run did. */

import assert from "node:assert/strict";
import { basename } from "node:path";
import { describe, test } from "node:test";
import { languageCard, type LanguageReport } from "../../../src/training/language/card.ts";
import { distinctNames } from "../../../src/training/report/model-card.ts";
import { curves } from "../../../src/training/report/training-report.ts";

const steps = Array.from({ length: 1500 }, (_, at) => ({
  step: at + 1,
  epoch: (at + 1) / 1000,
  loss: 3 - at / 1000,
  grad_norm: 1,
  learning_rate: 0.1,
  entropy: 1,
  mean_token_accuracy: 0.5,
  num_tokens: at,
}));
const evaluations = [0, 1500].map((step) => ({
  step,
  epoch: step,
  eval_loss: 3 - step / 1000,
  eval_mean_token_accuracy: step / 3000,
  eval_num_tokens: 7,
}));

const report: LanguageReport = {
  stage: "sft",
  command: "npm run train:sft -- --model base",
  flags: {},
  versions: { bonsai: "1.2.3" },
  base: { name: "some/base", contentHash: "00", isFromNothing: false },
  trains: "a LoRA adapter",
  data: {
    files: [{ path: "data/rows.jsonl", rows: 12, bytes: 5, sha256: "ab".repeat(32) }],
    evaluationFiles: [],
    documents: 11,
    rows: 4,
    length: 64,
    truncatedRows: 2,
    truncatedTokens: 9,
    droppedRows: 1,
  },
  steps: 1500,
  epochs: 1.5,
  trainSeconds: 600,
  metrics: { steps, evaluations },
};

describe("curves", () => {
  test("average neighbouring steps, so that few points show them all, and show every evaluation", () => {
    const [training, heldOut] = curves(report.metrics, "loss").series;
    assert.ok(training!.points.length <= 600 && training!.points.length > 300);
    assert.equal(training!.points.at(-1)!.x, 1500);
    const mean = training!.points.reduce((sum, { y }) => sum + y, 0) / training!.points.length;
    assert.ok(Math.abs(mean - steps.reduce((sum, { loss }) => sum + loss, 0) / steps.length) < 0.01);
    assert.deepEqual(heldOut!.points, [{ x: 0, y: 3 }, { x: 1500, y: 1.5 }]); // prettier-ignore
    assert.equal(curves({ steps, evaluations: [] }, "loss").series.length, 1);
  });
});

describe("a card", () => {
  test("names base, kind, losses, data and command, and what was cut", () => {
    const card = languageCard("mine", report);
    assert.match(
      card,
      /^---\nlibrary_name: peft\nbase_model: "some\/base"\npipeline_tag: text-generation\ntags: \[bonsai, sft, lora\]\n---\n\n# mine\n/,
    );
    assert.match(
      card,
      /An adapter made by supervised fine-tuning of some\/base with Bonsai 1\.2\.3: a LoRA adapter, 1500 steps, 1\.5 epochs, 10 min/,
    );
    assert.match(card, /\| held out, after 0 steps \| 3\.0000 \| 0\.0000 \|\n\| held out, after 1500 steps \| 1\.5000 \| 0\.5000 \|/);
    assert.match(
      card,
      /11 documents in 4 rows of 64 tokens; of the rows of the files 2 were cut at their end \(9 tokens\) and 1 were left out/,
    );
    assert.match(card, /\| rows\.jsonl \| 12 \| `(ab){32}` \|/);
    assert.match(card, /```sh\nnpm run train:sft -- --model base\n```/);
  });

  test("tells files of one name apart, by no more of their paths than that takes, and shows no path of the machine", () => {
    const names = ["corpus.jsonl", "/data/a/texts/corpus.jsonl", "/data/b/texts/corpus.jsonl", "/data/b/held-out.jsonl"];
    const files = names.map((path) => ({ path, rows: 1, bytes: 5, sha256: "ab".repeat(32) }));
    const data = { ...report.data, files: files.slice(0, 3), evaluationFiles: files.slice(2) };
    const card = languageCard("mine", { ...report, data });
    const listed = [...card.matchAll(/^\| (\S+jsonl) \|/gm)].map(([, name]) => name);
    assert.deepEqual(listed, [
      `${basename(process.cwd())}/corpus.jsonl`,
      "a/texts/corpus.jsonl",
      "b/texts/corpus.jsonl",
      "b/texts/corpus.jsonl",
      "held-out.jsonl",
    ]);
    assert.deepEqual(distinctNames(["/rows.jsonl", "/a/rows.jsonl"]), ["rows.jsonl", "a/rows.jsonl"]);
  });

  test("of a model from nothing names no base", () => {
    const card = languageCard("mine", {
      ...report,
      stage: "pretrain",
      trains: "all weights",
      base: { ...report.base, isFromNothing: true },
    });
    assert.doesNotMatch(card, /base_model/);
    assert.match(card, /library_name: transformers[^]*A model made by pre-training from nothing/);
  });
});
