/**
 * @file Writes a graph as an ONNX ModelProto (onnx.proto, IR version 10), weights inline or in an external data file.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { AttributeProto_AttributeType, ModelProtoSchema, TensorProto_DataLocation } from "onnx-buf";
import { elementTypes } from "./data-type.ts";
import type { Attribute, Graph, Initializer, ValueInfo } from "./graph.ts";
import { verify } from "./verify.ts";

/** The operator set that every graph is written for; RMSNormalization and friends would need 23. */
const opset = 21n;

/**
 * The bytes of a verified model.
 * @param externalFile name of the file, beside the model, that external initializers point into
 * @param order of the nodes in the file. ONNX Runtime walks from the last node of the file that nothing reads to what
 * it needs, of several inputs the last in the file first, then goes on with the node before: `reversed`, it computes
 * each output with no more than it needs, in the order of the graph's making, and each value as late as that allows.
 */
export function writeModel(graph: Graph, externalFile?: string, order: "forward" | "reversed" = "forward"): Uint8Array<ArrayBuffer> {
  verify(graph);
  const nodes = [...graph.nodes.entries()];
  const model = create(ModelProtoSchema, {
    irVersion: 10n,
    producerName: "bonsai",
    opsetImport: [
      { domain: "", version: opset },
      { domain: "com.microsoft", version: 1n },
    ],
    graph: {
      name: "bonsai",
      input: graph.inputs.map(valueInfo),
      output: graph.outputs.map(valueInfo),
      valueInfo: [...graph.declared.values()].map(valueInfo),
      initializer: graph.initializers.map((initializer) => tensor(initializer, externalFile)),
      node: (order === "forward" ? nodes : nodes.toReversed()).map(([index, node]) => ({
        name: `${node.op}_${index}`,
        opType: node.op,
        domain: node.domain,
        input: node.inputs,
        output: node.outputs,
        attribute: Object.entries(node.attributes).map(([name, value]) => attribute(name, value)),
      })),
    },
  });
  return toBinary(ModelProtoSchema, model);
}

function tensor(initializer: Initializer, externalFile: string | undefined): object {
  const head = { name: initializer.name, dims: initializer.shape.map(BigInt), dataType: elementTypes[initializer.type] };
  if (initializer.data.kind === "inline") {
    const { buffer, byteOffset, byteLength } = initializer.data.data;
    return { ...head, rawData: new Uint8Array(buffer, byteOffset, byteLength) };
  }
  return {
    ...head,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: [
      { key: "location", value: externalFile ?? "" },
      { key: "offset", value: String(initializer.data.offset) },
      { key: "length", value: String(initializer.data.length) },
    ],
  };
}

function attribute(name: string, value: Attribute): object {
  if ("float" in value) return { name, type: AttributeProto_AttributeType.FLOAT, f: value.float };
  if ("int" in value) return { name, type: AttributeProto_AttributeType.INT, i: BigInt(value.int) };
  if ("ints" in value) return { name, type: AttributeProto_AttributeType.INTS, ints: value.ints.map(BigInt) };
  return { name, type: AttributeProto_AttributeType.STRING, s: new TextEncoder().encode(value.string) };
}

function valueInfo(info: ValueInfo): object {
  const dim = info.shape.map((size) =>
    typeof size === "number" ? { value: { case: "dimValue", value: BigInt(size) } } : { value: { case: "dimParam", value: size } },
  );
  return { name: info.name, type: { value: { case: "tensorType", value: { elemType: elementTypes[info.type], shape: { dim } } } } };
}
