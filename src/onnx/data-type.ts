/** @file ONNX element types (TensorProto.DataType of onnx.proto) and how they are held in JavaScript. */

/** Values of TensorProto.DataType, ONNX IR specification. */
export const elementTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 } as const;

export type ElementType = keyof typeof elementTypes;

export const elementBytes: Record<ElementType, number> = { float32: 4, uint8: 1, int8: 1, int32: 4, int64: 8, bool: 1, float16: 2 };

/** float16 travels as its bits. */
export type ElementArray =
  | Float32Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>;

/** A dimension is a size, or the name of one that each run decides. */
export type Dimension = number | string;
