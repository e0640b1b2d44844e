/** @file Ways in which a file can be damaged, by chance or on purpose. */

import fc from "fast-check";

/** Numbers that hostile files like, as 8 little-endian bytes. */
const hostileNumbers = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 40n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, 0x7b7b7b7b7b7b7b7bn];

export type Damage =
  | { kind: "truncate"; at: number }
  | { kind: "flip"; at: number; bit: number }
  | { kind: "overwrite"; at: number; number: bigint }
  | { kind: "insert"; at: number; bytes: Uint8Array }
  | { kind: "remove"; at: number; length: number };

/** Damages within the first `headerBytes`, where the structure is, or anywhere. */
export function damages(fileBytes: number, headerBytes: number): fc.Arbitrary<Damage[]> {
  const at = fc.oneof({ weight: 4, arbitrary: fc.nat(headerBytes - 1) }, { weight: 1, arbitrary: fc.nat(fileBytes - 1) });
  const damage = fc.oneof(
    fc.record({ kind: fc.constant("truncate" as const), at }),
    fc.record({ kind: fc.constant("flip" as const), at, bit: fc.nat(7) }),
    fc.record({ kind: fc.constant("overwrite" as const), at, number: fc.constantFrom(...hostileNumbers) }),
    fc.record({ kind: fc.constant("insert" as const), at, bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
    fc.record({ kind: fc.constant("remove" as const), at, length: fc.integer({ min: 1, max: 40 }) }),
  );
  return fc.array(damage, { minLength: 1, maxLength: 3 });
}

export function damaged(bytes: Buffer, list: readonly Damage[]): Buffer {
  return list.reduce((current, damage) => {
    const at = Math.min(damage.at, current.length);
    if (damage.kind === "truncate") return current.subarray(0, at);
    if (damage.kind === "insert") return Buffer.concat([current.subarray(0, at), damage.bytes, current.subarray(at)]);
    if (damage.kind === "remove") return Buffer.concat([current.subarray(0, at), current.subarray(at + damage.length)]);
    const copy = Buffer.from(current);
    if (damage.kind === "flip" && at < copy.length) copy[at]! ^= 1 << damage.bit;
    if (damage.kind === "overwrite" && at + 8 <= copy.length) copy.writeBigUInt64LE(damage.number, at);
    return copy;
  }, bytes);
}
