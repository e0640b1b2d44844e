/**
 * @file Zip archives written by hand (PKWARE APPNOTE, section 4.3), so that a test can also make one that lies about
 * its sizes.
 */

import { crc32, deflateRawSync } from "node:zlib";

export interface ZipMember {
  name: string;
  content: Buffer;
  /** What the archive claims the content's size to be; default the truth. */
  claimedBytes?: number;
}

/** An archive with every member deflated. */
export function zipArchive(members: readonly ZipMember[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, claimedBytes = content.length } of members) {
    const nameBytes = Buffer.from(name);
    const compressed = deflateRawSync(content);
    const sizes = Buffer.alloc(12);
    sizes.writeUInt32LE(crc32(content), 0);
    sizes.writeUInt32LE(compressed.length, 4);
    sizes.writeUInt32LE(claimedBytes, 8);
    // Version 2.0, no flags, method 8 (deflate), no time.
    const fields = Buffer.from([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
    const nameLength = Buffer.alloc(4);
    nameLength.writeUInt16LE(nameBytes.length, 0);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), fields, sizes, nameLength, nameBytes, compressed]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from("PK\u0001\u0002"), Buffer.from([20, 0]), fields, sizes, nameLength, place, nameBytes]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\u0005\u0006", "latin1");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}
