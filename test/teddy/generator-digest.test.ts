/**
 * @file The generator's texts stay byte for byte as they are: published models were trained on them. A change that
 * means to alter them says so by new digests here, and its models are trained anew.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { it } from "node:test";
import { bestAnswer, safeKinds, unsafeKinds, writeAnswer } from "../../src/teddy/writer/answer.ts";
import { corpusTexts } from "../../src/teddy/writer/corpus.ts";
import { demonstration, prompt } from "../../src/teddy/writer/demonstration.ts";
import { drawFacts } from "../../src/teddy/world/question.ts";
import { RandomStream } from "../../src/random/random-stream.ts";

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
  const stream = new RandomStream(0, "other", index);
  const facts = drawFacts(stream, "training");
  const kinds = facts.danger === undefined ? safeKinds : unsafeKinds;
  return [bestAnswer(facts, stream), ...kinds.map((kind) => writeAnswer(kind, facts, stream))];
}

const digests: Readonly<Record<string, [texts: () => Iterable<string>, digest: string]>> = {
  corpus: [() => corpusTexts(0, 100_000), "a27805e8e952f677"],
  demonstrations: [() => rowsOf((index) => demonstration(0, index)), "049305e2b47bda09"],
  "demonstrations of mixed names": [() => rowsOf((index) => demonstration(0, index, "training", "mixed")), "7c4233ef4c326f95"],
  "held-out demonstrations": [() => rowsOf((index) => demonstration(0, index, "held-out")), "812c4c0185903468"],
  prompts: [() => rowsOf((index) => prompt(0, index, "training")), "9f164ab6d744d938"],
  "held-out prompts": [() => rowsOf((index) => prompt(0, index, "held-out")), "d9c6bab1cee006a3"],
  answers: [() => rowsOf(answersTo), "9d8d6fb822bcf115"],
};

for (const [what, [texts, digest]] of Object.entries(digests)) {
  it(`writes the same ${what} as ever`, () => assert.equal(digestOf(texts()), digest));
}
