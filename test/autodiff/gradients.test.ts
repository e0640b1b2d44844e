/** @file Reverse mode: what a backward pass holds, what it leaves out, and how it prints. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gradients } from "../../src/autodiff/gradients.ts";
import { lowerProgram } from "../../src/autodiff/lower-program.ts";
import { liveNodes } from "../../src/autodiff/live-nodes.ts";
import * as o from "../../src/autodiff/operations.ts";
import { printProgram } from "../../src/autodiff/print-program.ts";
import { Program, type Node } from "../../src/autodiff/program.ts";
import type { RecomputationKind } from "../../src/autodiff/recomputation.ts";
import { BonsaiError } from "../../src/errors/bonsai-error.ts";
import { print } from "../../src/onnx/print.ts";
import { runProgram } from "./run-program.ts";

/** loss = sum(silu(x w) v), with w trained or frozen. */
function twoLayers(isFirstTrained: boolean): Program {
  const program = new Program();
  const x = program.input("x", "float32", [2, 3]);
  const w = isFirstTrained ? program.parameter("w", [3, 4]) : program.weight("w", "float32", [3, 4]);
  const v = program.parameter("v", [4, 5]);
  const loss = o.sumAll(o.matmul(o.silu(o.matmul(x, w)), v));
  program.output("loss", loss);
  const wrt = isFirstTrained ? [w, v] : [v];
  gradients(program, loss, wrt).forEach((gradient, at) => program.output(`d${at}`, gradient));
  return program;
}

const isInternal = (error: unknown): boolean => error instanceof BonsaiError && error.code === "internal";

test("the nodes that a program needs may have more inputs than a call takes arguments", () => {
  const program = new Program();
  const part = program.input("x", "float32", [1]);
  program.output("joined", o.concat(Array<Node>(200_000).fill(part) as [Node, ...Node[]], 0));
  assert.equal(liveNodes(program).length, 2);
});

describe("a backward pass", () => {
  test("prints as one line a node", () => {
    assert.equal(
      printProgram(twoLayers(true)),
      `%0 = input() name=x: float32[2, 3]
%1 = parameter() name=w: float32[3, 4]
%2 = parameter() name=v: float32[4, 5]
%3 = matmul(%0, %1) transposeA=false transposeB=false alpha=1: float32[2, 4]
%4 = silu(%3): float32[2, 4]
%5 = matmul(%4, %2) transposeA=false transposeB=false alpha=1: float32[2, 5]
%6 = sum(%5) axes=[0, 1]: float32[1, 1]
%7 = reshape(%6) shape=[]: float32[]
%8 = full() value=1: float32[]
%9 = reshape(%8) shape=[1, 1]: float32[1, 1]
%10 = broadcast(%9) shape=[2, 5]: float32[2, 5]
%11 = matmul(%10, %2) transposeA=false transposeB=true alpha=1: float32[2, 4]
%12 = matmul(%4, %10) transposeA=true transposeB=false alpha=1: float32[4, 5]
%13 = sigmoid(%3): float32[2, 4]
%14 = full() value=1: float32[]
%15 = sub(%14, %13): float32[2, 4]
%16 = mul(%4, %15): float32[2, 4]
%17 = add(%13, %16): float32[2, 4]
%18 = mul(%11, %17): float32[2, 4]
%19 = matmul(%0, %18) transposeA=true transposeB=false alpha=1: float32[3, 4]
loss = %7
d0 = %19
d1 = %12
`,
    );
  });

  test("stops at the first trained weight: below it there is no product", () => {
    const lines = printProgram(twoLayers(false)).split("\n");
    const count = (primitive: string): number => lines.filter((line) => line.includes(`= ${primitive}(`)).length;
    // Two forward, one for the derivative by v; none for that by x w, which only w would need.
    assert.equal(count("matmul"), 3);
    assert.equal(count("sigmoid"), 0);
  });

  test("gives zeros where the loss does not depend on a weight, or only through stopGradient", async () => {
    const program = new Program();
    const [w, v, u] = [program.parameter("w", [2]), program.parameter("v", [2]), program.parameter("u", [2])];
    const loss = o.sumAll(o.mul(o.stopGradient(w), v));
    gradients(program, loss, [w, v, u]).forEach((gradient, at) => program.output(`d${at}`, gradient));
    const results = await runProgram(program, { w: Float32Array.of(2, 3), v: Float32Array.of(5, 7), u: Float32Array.of(1, 1) });
    assert.deepEqual(results, { d0: [0, 0], d1: [2, 3], d2: [0, 0] });
  });

  test("adds up what a weight gives in several places", async () => {
    const program = new Program();
    const w = program.parameter("w", [2]);
    const loss = o.sumAll(o.add(o.mul(w, w), o.mul(w, 3)));
    program.output("d", gradients(program, loss, [w])[0]!);
    assert.deepEqual(await runProgram(program, { w: Float32Array.of(1, 2) }), { d: [5, 7] });
  });

  test("is that of a scalar alone", () => {
    const program = new Program();
    const w = program.parameter("w", [2]);
    assert.throws(() => gradients(program, w, [w]), isInternal);
  });

  test("computes a segment's inner values anew when asked, to the same bits, and keeps what crosses segments", async () => {
    const build = (recompute: RecomputationKind | undefined): Program => {
      const program = new Program();
      const w = program.parameter("w", [3, 3]);
      let x: Node = program.input("x", "float32", [2, 3]);
      for (let layer = 0; layer < 2; layer++) x = program.segment(() => o.add(x, o.tanh(o.exp(o.silu(o.matmul(x, w))))));
      const loss = o.sumAll(x);
      program.output("loss", loss);
      program.output("d", gradients(program, loss, [w], { recompute })[0]!);
      return program;
    };
    const feeds = {
      w: Float32Array.from({ length: 9 }, (_, at) => Math.sin(at)),
      x: Float32Array.from({ length: 6 }, (_, at) => Math.cos(at)),
    };
    const kept = await runProgram(build(undefined), feeds);
    assert.deepEqual(await runProgram(build("all"), feeds), kept);
    assert.deepEqual(await runProgram(build("cheap"), feeds), kept);
    const counts = (recompute: RecomputationKind | undefined): number[] => {
      const lines = printProgram(build(recompute)).split("\n");
      return ["matmul", "silu", "exp"].map((primitive) => lines.filter((line) => line.includes(`= ${primitive}(`)).length);
    };
    // Products of the backward pass: two for the last layer, and one for the first, whose input needs none.
    const backward = 3;
    assert.deepEqual(counts(undefined), [2 + backward, 2, 2]);
    assert.deepEqual(counts("cheap"), [2 + backward, 4, 2]);
    assert.deepEqual(counts("all"), [4 + backward, 4, 4]);
  });
});

describe("a lowered program", () => {
  test("multiplies and adds in one operator, and leaves out what no output needs", () => {
    const program = new Program();
    const [x, w, b] = [program.input("x", "float32", [2, 3]), program.parameter("w", [4, 3]), program.parameter("b", [4])];
    o.exp(x);
    program.output("y", o.add(o.matmul(x, w, { transposeB: true, alpha: 0.5 }), b));
    assert.equal(
      print(lowerProgram(program, () => assert.fail("no weight is frozen"))),
      `input x: float32[2, 3]
input w: float32[4, 3]
input b: float32[4]
y = Gemm(x, w, b) transA=0 transB=1 alpha=0.5
output y: float32[2, 4]
`,
    );
  });

  test("keeps a product apart that something else reads too", () => {
    const program = new Program();
    const [x, w] = [program.input("x", "float32", [2, 3]), program.parameter("w", [3, 4])];
    const product = o.matmul(x, w);
    program.output("y", o.add(product, 1));
    program.output("product", product);
    const ops = lowerProgram(program, () => assert.fail("no weight is frozen")).nodes.map(({ op }) => op);
    assert.deepEqual(ops, ["MatMul", "Add"]);
  });

  test("is refused when a node is not what its rule says", () => {
    const program = new Program();
    const x = program.input("x", "float32", [2, 3]);
    program.output("y", o.exp(x));
    Object.assign(program.nodes[1]!, { shape: [3, 2] });
    assert.throws(() => lowerProgram(program, () => assert.fail("no weight is frozen")), isInternal);
  });
});

describe("a program", () => {
  test("refuses shapes and types that do not fit, by the primitive's name", () => {
    const program = new Program();
    const x = program.input("x", "float32", [2, 3]);
    const ids = program.input("ids", "int32", [2]);
    const named = (name: string) => (error: unknown) => isInternal(error) && (error as Error).message.startsWith(`${name}:`);
    assert.throws(() => o.matmul(x, x), named("matmul"));
    assert.throws(() => o.add(x, program.input("y", "float32", [2])), named("add"));
    assert.throws(() => o.gatherRows(x, x), named("gatherRows"));
    assert.throws(() => o.gatherRows(ids, ids), named("gatherRows"));
    assert.throws(() => o.slice(x, 1, 2, 4), named("slice"));
    assert.throws(() => o.reshape(x, [5]), named("reshape"));
    assert.throws(() => o.transpose(x, [0, 0]), named("transpose"));
    assert.throws(() => o.add(x, new Program().full(1)), isInternal);
  });
});
