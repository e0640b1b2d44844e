/**
 * @file The generator's texts stay byte for byte as they are: published models were trained on them. A change that means to alter them says so by
 * new digests here, and its models are trained anew.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { it } from "node:test";
import { bestAnswer, safeKinds, unsafeKinds, writeAnswer } from "../../src/teddy/answer.ts";
import { corpusTexts } from "../../src/teddy/corpus.ts";
import { demonstration, prompt } from "../../src/teddy/demonstration.ts";
import { drawFacts } from "../../src/teddy/question.ts";
import { RandomStream } from "../../src/teddy/random-stream.ts";

const rows = 200;

function digestOf(texts: Iterable<string>): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text}\n`);
  return hash.digest("hex").slice(0, 16);
}

function rowsOf(row: (index: number) => unknown): string[] {
  return Array.from({ length: rows }, (_, index) => JSON.stringify(row(index)));
}

function answersTo(index: number): string[] {
  const stream = new RandomStream(0, "oracle", index);
  const facts = drawFacts(stream, "training");
  const kinds = facts.danger === undefined ? safeKinds : unsafeKinds;
  return [bestAnswer(facts, stream), ...kinds.map((kind) => writeAnswer(kind, facts, stream))];
}

const digests: Readonly<Record<string, [texts: () => Iterable<string>, digest: string]>> = {
  corpus: [() => corpusTexts(0, 100_000), "b0ac090ea6166a6d"],
  demonstrations: [() => rowsOf((index) => demonstration(0, index)), "c0b255c056609ae7"],
  "held-out demonstrations": [() => rowsOf((index) => demonstration(0, index, "held-out")), "4ae8f5621b6ecb4b"],
  prompts: [() => rowsOf((index) => prompt(0, index, "training")), "ddb6e191c74a7f31"],
  "held-out prompts": [() => rowsOf((index) => prompt(0, index, "held-out")), "4401eaf9c117f369"],
  answers: [() => rowsOf(answersTo), "9d8d6fb822bcf115"],
};

for (const [what, [texts, digest]] of Object.entries(digests)) {
  it(`writes the same ${what} as ever`, () => assert.equal(digestOf(texts()), digest));
}
