/** @file A checksum that shows accidental damage of a file. */

import { closeSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";

const pieceBytes = 2 ** 20;

/** CRC-32 of all bytes: in less than half the time of SHA-256. A cache need not be guarded against its owner. */
export function checksumOfFile(path: string): number {
  const file = openSync(path, "r");
  try {
    const piece = Buffer.allocUnsafe(pieceBytes);
    let checksum = 0;
    for (;;) {
      const count = readSync(file, piece);
      if (count === 0) return checksum;
      checksum = crc32(piece.subarray(0, count), checksum);
    }
  } finally {
    closeSync(file);
  }
}
