/**
 * @file A program as an ONNX graph: verified, without what its outputs do not need, products and the sums they go into
 * as one operator.
 */

import { Graph, type InitializerData, type Value } from "../onnx/graph.ts";
import { liveNodes } from "./live-nodes.ts";
import { loweringRules, type Lowering } from "./lowering-rules.ts";
import type { Primitive } from "./primitive.ts";
import { isPrimitive, type Node, type Program } from "./program.ts";
import { broadcastShapes, sameShape } from "./shape-rules.ts";
import { verifyProgram } from "./verify-program.ts";

/**
 * Inputs and parameters become the graph's inputs, in the order of the tape; outputs keep their names.
 * @param weightData where the bytes of each weight are
 */
export function lowerProgram(program: Program, weightData: (name: string) => InitializerData): Graph {
  verifyProgram(program);
  const lowering: Lowering = { graph: new Graph(), weightData, norms: new Map() };
  const live = liveNodes(program);
  const fused = productsInSums(program, live);
  const absorbed = new Set<Node>([...fused.values()].map(({ product }) => product));
  const values = new Map<Node, Value>();
  for (const node of live) {
    if (absorbed.has(node)) continue;
    const sum = fused.get(node);
    values.set(node, sum === undefined ? lowerNode(lowering, node, values) : lowerSum(lowering, sum, values));
  }
  for (const { name, node } of program.outputs) lowering.graph.output(name, values.get(node)!, node.type, node.shape);
  return lowering.graph;
}

function lowerNode<P extends Primitive>(lowering: Lowering, node: Node<P>, values: ReadonlyMap<Node, Value>): Value {
  const inputs = node.inputs.map((input) => values.get(input)!);
  return loweringRules[node.primitive](lowering, inputs, node);
}

interface ProductInSum {
  product: Node<"matmul">;
  added: Node;
}

/**
 * Sums of a matrix product, read by nothing else, and something of its shape or a row for all of its rows: `Gemm` adds
 * while it multiplies.
 */
function productsInSums(program: Program, live: readonly Node[]): Map<Node, ProductInSum> {
  const uses = new Map<Node, number>();
  const use = (node: Node): void => void uses.set(node, (uses.get(node) ?? 0) + 1);
  for (const node of live) node.inputs.forEach(use);
  for (const { node } of program.outputs) use(node);
  const found = new Map<Node, ProductInSum>();
  for (const node of live) {
    if (node.primitive !== "add" || node.shape.length !== 2) continue;
    const [a, b] = node.inputs as [Node, Node];
    for (const [product, added] of [
      [b, a],
      [a, b],
    ] as const) {
      const isAlone = isPrimitive(product, "matmul") && uses.get(product) === 1;
      if (!isAlone || !sameShape(product.shape, node.shape)) continue;
      if (!sameShape(broadcastShapes("add", added.shape, node.shape), node.shape)) continue;
      found.set(node, { product, added });
      break;
    }
  }
  return found;
}

function lowerSum({ graph }: Lowering, { product, added }: ProductInSum, values: ReadonlyMap<Node, Value>): Value {
  const { transposeA, transposeB, alpha } = product.params;
  const inputs = [...product.inputs, added].map((input) => values.get(input)!);
  return graph.op("Gemm", inputs, { transA: { int: Number(transposeA) }, transB: { int: Number(transposeB) }, alpha: { float: alpha } });
}
