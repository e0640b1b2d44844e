/**
 * @file GPT-2's byte alphabet: a printable character for each byte, in which byte-level vocabularies are written
 * (Radford et al. 2019, encoder.py).
 */

/** Printable bytes stand for themselves; the others take the code points from 256 on, in order. */
export const byteToCharacter: readonly string[] = (() => {
  let nextSubstitute = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCodePoint(isPrintable ? byte : nextSubstitute++);
  });
})();

const characterToByte = new Map(byteToCharacter.map((character, byte) => [character, byte]));

/** The bytes that a byte-level token stands for; undefined where a character is not of the alphabet. */
export function bytesOfAlphabet(token: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(token.length);
  for (let index = 0; index < token.length; index++) {
    const byte = characterToByte.get(token[index]!);
    if (byte === undefined) return undefined;
    bytes[index] = byte;
  }
  return bytes;
}
