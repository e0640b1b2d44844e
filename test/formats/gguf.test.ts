/** @file The GGUF container: every length, count, type and offset of a file is checked before it is used. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";

import { BoundedFile } from "../../src/formats/bounded-file.ts";
import { readGguf, type GgufFile } from "../../src/formats/gguf/gguf.ts";
import { ByteWriter, encodeGguf, valueTypes, type MetadataEntry, type TensorEntry } from "../fixtures/gguf-writer.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { assertRefused } from "./expect-error.ts";

const path = join(temporaryFolder(), "model.gguf");

function read(bytes: Uint8Array): GgufFile {
  writeFileSync(path, bytes);
  const file = new BoundedFile(path);
  try {
    return readGguf(file);
  } finally {
    file.close();
  }
}

/** Magic, version and the two counts. */
function header(tensors: number | bigint, metadata: number | bigint, version = 3): ByteWriter {
  return new ByteWriter().bytes(Buffer.from("GGUF")).u32(version).u64(tensors).u64(metadata);
}

function f32(name: string, shape: readonly (number | bigint)[], rest: Partial<TensorEntry> = {}): TensorEntry {
  return { name, type: 0, shape, bytes: new Uint8Array(32), ...rest };
}

test("metadata of every type come back as they were written, in versions 2 and 3", () => {
  const number = (
    type: "u8" | "i8" | "u16" | "i16" | "u32" | "i32",
    min: number,
    max: number,
  ): fc.Arbitrary<{ type: typeof type; value: number }> => fc.record({ type: fc.constant(type), value: fc.integer({ min, max }) });
  const scalar = fc.oneof(
    number("u8", 0, 255),
    number("i8", -128, 127),
    number("u16", 0, 65535),
    number("i16", -32768, 32767),
    number("u32", 0, 2 ** 32 - 1),
    number("i32", -(2 ** 31), 2 ** 31 - 1),
    fc.record({ type: fc.constant("f32" as const), value: fc.float() }),
    fc.record({ type: fc.constant("f64" as const), value: fc.double() }),
    fc.record({ type: fc.constant("bool" as const), value: fc.boolean() }),
    fc.record({ type: fc.constant("string" as const), value: fc.string({ unit: "grapheme" }) }),
    fc.record({ type: fc.constant("u64" as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
    fc.record({ type: fc.constant("i64" as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  );
  const entries = fc.uniqueArray(fc.tuple(fc.string(), scalar, fc.nat(4), fc.boolean()), { selector: ([key]) => key, maxLength: 8 });
  fc.assert(
    fc.property(entries, fc.constantFrom(2, 3), (list, version) => {
      const metadata = list.map(([key, { type, value }, count, isArray]): MetadataEntry =>
        isArray ? { key, type: "array", of: type, values: Array.from({ length: count }, () => value) } : { key, type, value },
      );
      const file = read(encodeGguf({ version, metadata, tensors: [] }));
      assert.equal(file.version, version);
      for (const [key, { type, value }, count, isArray] of list) {
        const found = file.metadata.get(key)!;
        const expected = typeof value === "bigint" && !isArray && Number.isSafeInteger(Number(value)) ? Number(value) : value;
        const elements = isArray ? Array.from(found as ArrayLike<unknown>) : [found];
        assert.equal(elements.length, isArray ? count : 1);
        for (const element of elements) assert.deepEqual(type === "bool" ? Boolean(element) : element, expected);
      }
    }),
    { numRuns: 200 },
  );
});

test("tensors come back with the outermost dimension first and the place of their bytes, at any alignment", () => {
  for (const alignment of [8, 32, 4096]) {
    const bytes = encodeGguf({
      alignment,
      metadata: [{ key: "general.alignment", type: "u32", value: alignment }],
      tensors: [
        { name: "a", type: 8, shape: [3, 64], bytes: Uint8Array.from({ length: 204 }, (_, at) => at) },
        { name: "b", type: 1, shape: [5], bytes: Uint8Array.from({ length: 10 }, (_, at) => 100 + at) },
      ],
    });
    const { tensors } = read(bytes);
    const a = tensors.get("a")!;
    const b = tensors.get("b")!;
    assert.deepEqual([a.dtype, a.shape, a.byteLength, a.offset % alignment], ["Q8_0", [3, 64], 204, 0]);
    assert.deepEqual([b.dtype, b.shape, b.byteLength], ["F16", [5], 10]);
    assert.equal(bytes[a.offset + 7], 7);
    assert.equal(bytes[b.offset + 7], 107);
  }
});

const hugeCounts = [2n ** 16n + 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

test("hostile counts and lengths are refused by the offset at which they stand", () => {
  for (const count of hugeCounts) {
    assertRefused(() => read(header(count, 0).finish()), "invalid_model_file", /at byte 8: the number of tensors is \d+/);
    assertRefused(() => read(header(0, count).finish()), "invalid_model_file", /at byte 16: the number of metadata pairs is \d+/);
    assertRefused(
      () => read(header(0, 1).u64(count).u64(0).finish()),
      "invalid_model_file",
      /at byte 24: the length of metadata key 0 is \d+/,
    );
    const string = header(0, 1).string("k").u32(valueTypes.string).u64(count);
    assertRefused(() => read(string.finish()), "invalid_model_file", /at byte 37: the length of metadata "k" is \d+/);
    for (const type of [0, 5, 7, 8, 12]) {
      const array = header(0, 1).string("k").u32(valueTypes.array).u32(type).u64(count);
      assertRefused(() => read(array.finish()), "invalid_model_file", /at byte 41: the length of metadata "k" is \d+/);
    }
  }
});

const oneTensor = (): ByteWriter => header(1, 0).string("t");

const refused: [what: string, bytes: Uint8Array, message: RegExp][] = [
  ["an empty file", new Uint8Array(0), /at byte 0: the magic number needs 4 bytes/],
  ["another magic number", Buffer.from("GGML....................."), /at byte 0: the file does not begin with "GGUF"/],
  ["a file that ends in the header", header(0, 0).finish().subarray(0, 20), /at byte 16: /],
  ["an unknown value type", header(0, 1).string("k").u32(13).u64(0).finish(), /at byte 33: metadata "k" has the unknown value type 13/],
  ["an array of an unknown type", header(0, 1).string("k").u32(9).u32(77).u64(0).finish(), /at byte 37: .* unknown value type 77/],
  ["an array of arrays", header(0, 1).string("k").u32(9).u32(9).u64(1).u32(9).u64(1).finish(), /at byte 37: .* array of arrays/],
  [
    "a boolean that is neither",
    header(0, 1).string("k").u32(7).bytes(Uint8Array.of(2)).finish(),
    /at byte 37: metadata "k" is a boolean of value 2/,
  ],
  [
    "a key that occurs twice",
    header(0, 2).string("k").u32(4).u32(1).string("k").u32(4).u32(1).finish(),
    /at byte 41: metadata "k" occurs twice/,
  ],
  [
    "a key that is not UTF-8",
    header(0, 1).u64(2).bytes(Uint8Array.of(0xc3, 0x28)).u32(4).u32(1).finish(),
    /at byte 32: metadata key 0 is not UTF-8/,
  ],
  [
    "a value that is not UTF-8",
    header(0, 1).string("k").u32(8).u64(1).bytes(Uint8Array.of(0xff)).finish(),
    /at byte 45: metadata "k" is not UTF-8/,
  ],
  [
    "a tensor's name that is not UTF-8",
    header(1, 0).u64(1).bytes(Uint8Array.of(0x80)).bytes(Buffer.alloc(32)).finish(),
    /at byte 32: the name of tensor 0 is not UTF-8/,
  ],
  [
    "a tensor's name of 65 bytes",
    encodeGguf({ metadata: [], tensors: [f32("t".repeat(65), [8])] }),
    /at byte 24: the length of the name of tensor 0 is 65/,
  ],
  [
    "a tensor without dimensions",
    oneTensor().u32(0).u32(0).u64(0).bytes(Buffer.alloc(64)).finish(),
    /at byte 33: tensor "t" has 0 dimensions/,
  ],
  [
    "a tensor of five dimensions",
    encodeGguf({ metadata: [], tensors: [f32("t", [1, 1, 1, 1, 8])] }),
    /at byte 33: tensor "t" has 5 dimensions/,
  ],
  [
    "2^32 - 1 dimensions",
    oneTensor()
      .u32(2 ** 32 - 1)
      .bytes(Buffer.alloc(64))
      .finish(),
    /at byte 33: tensor "t" has 4294967295 dimensions/,
  ],
  ["a dimension of zero", encodeGguf({ metadata: [], tensors: [f32("t", [8, 0])] }), /at byte 37: dimension 0 of tensor "t" is 0/],
  [
    "a dimension beyond 2^53",
    encodeGguf({ metadata: [], tensors: [f32("t", [2n ** 63n])] }),
    /at byte 37: tensor "t" has more values than/,
  ],
  [
    "dimensions whose product overflows",
    encodeGguf({ metadata: [], tensors: [f32("t", [2n ** 32n, 2n ** 32n])] }),
    /at byte 45: tensor "t" has more values than/,
  ],
  [
    "rows that are not whole blocks",
    encodeGguf({ metadata: [], tensors: [f32("t", [2, 40], { type: 8 })] }),
    /tensor "t" has rows of 40 values.*Q8_0 blocks of 32/,
  ],
  [
    "an offset off the alignment",
    encodeGguf({ metadata: [], tensors: [f32("t", [8], { offset: 4 })] }),
    /at byte 49: tensor "t" has the offset 4.*alignment 32/,
  ],
  [
    "an offset beyond the file",
    encodeGguf({ metadata: [], tensors: [f32("t", [8], { offset: 2n ** 63n })] }),
    /tensor "t" takes bytes .* but the file has/,
  ],
  [
    "a tensor that ends beyond the file",
    encodeGguf({ metadata: [], tensors: [f32("t", [9])] }),
    /tensor "t" takes bytes 64 to 100, but the file has 96/,
  ],
  [
    "tensors on top of each other",
    encodeGguf({ metadata: [], tensors: [f32("a", [16], { bytes: new Uint8Array(64) }), f32("b", [8], { offset: 32 })] }),
    /tensor "b" at byte \d+ overlaps tensor "a"/,
  ],
  [
    "a tensor that occurs twice",
    encodeGguf({ metadata: [], tensors: [f32("t", [8]), f32("t", [8])] }),
    /at byte 57: tensor "t" occurs twice/,
  ],
  [
    "an alignment of zero",
    encodeGguf({ metadata: [{ key: "general.alignment", type: "u32", value: 0 }], tensors: [] }),
    /general.alignment/,
  ],
  [
    "an alignment of 12",
    encodeGguf({ metadata: [{ key: "general.alignment", type: "u32", value: 12 }], tensors: [] }),
    /general.alignment is 12; it must be a multiple of 8/,
  ],
  [
    "an alignment that is a string",
    encodeGguf({ metadata: [{ key: "general.alignment", type: "string", value: "32" }], tensors: [] }),
    /general.alignment is not an integer/,
  ],
  [
    "metadata that are cut off",
    encodeGguf({ metadata: [{ key: "k", type: "array", of: "u64", values: [1, 2, 3] }], tensors: [] }).subarray(0, 60),
    /at byte 41: /,
  ],
];

for (const [what, bytes, message] of refused) {
  test(`${what} is refused by offset or name`, () => {
    assertRefused(() => read(bytes), "invalid_model_file", message);
  });
}

test("other versions, byte orders and tensor types are refused as unsupported, with what is supported", () => {
  for (const version of [0, 1, 4])
    assertRefused(
      () => read(header(0, 0, version).finish()),
      "unsupported_model",
      new RegExp(`version ${version}; supported are versions 2 and 3`),
    );
  assertRefused(() => read(header(0, 0, 0x03000000).finish()), "unsupported_model", /big-endian/);
  assertRefused(
    () => read(encodeGguf({ metadata: [], tensors: [f32("t", [8], { type: 20 })] })),
    "unsupported_model",
    /tensor "t" has type IQ4_NL; supported are .*Q4_1.*Q6_K/,
  );
  assertRefused(
    () => read(encodeGguf({ metadata: [], tensors: [f32("t", [8], { type: 999 })] })),
    "unsupported_model",
    /tensor "t" has type 999;/,
  );
});
