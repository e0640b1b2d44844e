/** @file Cross-entropy in chunks is what its composition of primitives is, whatever the chunks. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crossEntropy } from "../../src/autodiff/cross-entropy.ts";
import { gradients } from "../../src/autodiff/gradients.ts";
import { liveNodes } from "../../src/autodiff/live-nodes.ts";
import * as o from "../../src/autodiff/operations.ts";
import { Program, type Node } from "../../src/autodiff/program.ts";
import { assertClose } from "./assert-close.ts";
import { runProgram } from "./run-program.ts";

const rows = 7;
const width = 4;
const vocabSize = 11;
const feeds = {
  hidden: Float32Array.from({ length: rows * width }, (_, at) => Math.sin(at * 1.7)),
  weight: Float32Array.from({ length: vocabSize * width }, (_, at) => Math.cos(at * 0.9) * 2),
  targets: Int32Array.of(3, -1, 10, 0, -1, 3, 7),
  // The same without the rows that are not trained, as indices into what is.
  trained: Int32Array.of(0, 2, 3, 5, 6),
  wanted: Int32Array.of(3, 10, 0, 3, 7),
  scale: Float32Array.of(0.2),
};

interface Results {
  loss: Node;
  entropy: Node;
}

async function run(build: (program: Program, hidden: Node, weight: Node, scale: Node) => Results): Promise<Record<string, number[]>> {
  const program = new Program();
  const [hidden, weight] = [program.parameter("hidden", [rows, width]), program.parameter("weight", [vocabSize, width])];
  const { loss, entropy } = build(program, hidden, weight, program.input("scale", "float32", []));
  program.output("loss", loss);
  program.output("entropy", entropy);
  // Times three, so that the derivative of the loss has a say.
  gradients(program, o.mul(loss, 3), [hidden, weight]).forEach((gradient, at) => program.output(`d${at}`, gradient));
  return runProgram(program, feeds);
}

describe("cross-entropy", () => {
  for (const chunkRows of [1, 3, 7]) {
    test(`in chunks of ${chunkRows} rows has the values and derivatives of -mean(log softmax)`, async () => {
      const chunked = await run((program, hidden, weight, scale) =>
        crossEntropy({
          hidden,
          weight,
          targets: program.input("targets", "int32", [rows]),
          scale,
          differentiated: true,
          chunkElements: chunkRows * vocabSize,
        }),
      );
      const composed = await run((program, hidden, weight, scale) => {
        const logits = o.matmul(o.gatherRows(hidden, program.input("trained", "int32", [5])), weight, { transposeB: true });
        const logProbabilities = o.sub(logits, o.logSumExp(logits));
        const wanted = o.takeAlongLast(logProbabilities, o.reshape(program.input("wanted", "int32", [5]), [5, 1]));
        return {
          loss: o.mul(o.neg(o.sumAll(wanted)), scale),
          entropy: o.neg(o.sumAll(o.mul(o.exp(logProbabilities), logProbabilities))),
        };
      });
      for (const name of ["loss", "entropy", "d0", "d1"]) assertClose(chunked[name]!, composed[name]!, 2e-6, name);
    });
  }

  for (const differentiated of [true, false]) {
    test(`has one chunk of logits at a time, ${differentiated ? "with" : "without"} derivatives: all that reads one comes before the next`, () => {
      const program = new Program();
      const [hidden, weight] = [program.parameter("hidden", [rows, width]), program.parameter("weight", [vocabSize, width])];
      const targets = program.input("targets", "int32", [rows]);
      const found = crossEntropy({ hidden, weight, targets, scale: program.full(1), differentiated, chunkElements: 2 * vocabSize });
      for (const name of ["loss", "correct", ...(differentiated ? (["entropy"] as const) : [])] as const) program.output(name, found[name]);
      if (differentiated) gradients(program, found.loss, [hidden, weight]).forEach((gradient, at) => program.output(`d${at}`, gradient));
      const live = liveNodes(program);
      const logits = live.filter(({ primitive, shape }) => primitive === "matmul" && shape[1] === vocabSize);
      assert.equal(logits.length, 4);
      for (const [at, next] of logits.slice(1).entries()) {
        const before = withAllBefore(next);
        const softmax = live.filter(({ primitive, inputs }) => primitive === "softmax" && inputs[0] === logits[at]);
        const readers = live.filter(({ inputs }) => [logits[at]!, ...softmax].some((large) => inputs.includes(large)));
        assert.equal(readers.length, differentiated ? 6 : 4);
        for (const reader of readers)
          assert.ok(before.has(reader), `${reader.primitive} of chunk ${at} may come after the logits of the next`);
      }
    });
  }
});

/** The node and everything that is computed before it. */
function withAllBefore(node: Node): Set<Node> {
  const found = new Set<Node>();
  const visit = [node];
  for (let next = visit.pop(); next !== undefined; next = visit.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    visit.push(...next.inputs);
  }
  return found;
}
