/** @file Transposition of a matrix of plain (not block-quantised) elements. */

/** Side of the square tiles in which it walks, so that reads and writes both stay in cache. */
const TILE = 32;

/**
 * The bytes of a row-major matrix [rows, columns] as [columns, rows].
 * @param elementBytes 2, 4 or 8.
 * @throws RangeError when the bytes do not hold such a matrix.
 */
export function transposeBytes(
  bytes: Uint8Array<ArrayBuffer>,
  rows: number,
  columns: number,
  elementBytes: number,
): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength !== rows * columns * elementBytes) {
    throw new RangeError(`${bytes.byteLength} bytes are not a matrix [${rows}, ${columns}] of ${elementBytes}-byte elements`);
  }
  const aligned = bytes.byteOffset % elementBytes === 0 ? bytes : bytes.slice();
  const result = new Uint8Array(bytes.byteLength);
  if (elementBytes === 2) {
    transposeInto(new Uint16Array(aligned.buffer, aligned.byteOffset, rows * columns), new Uint16Array(result.buffer), rows, columns);
  } else if (elementBytes === 4) {
    transposeInto(new Uint32Array(aligned.buffer, aligned.byteOffset, rows * columns), new Uint32Array(result.buffer), rows, columns);
  } else if (elementBytes === 8) {
    transposeInto(new Float64Array(aligned.buffer, aligned.byteOffset, rows * columns), new Float64Array(result.buffer), rows, columns);
  } else {
    throw new RangeError(`elements of ${elementBytes} bytes cannot be transposed`);
  }
  return result;
}

/** [rows, columns] -> [columns, rows]. */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  transposeInto<Float32Array>(values, result, rows, columns);
  return result;
}

function transposeInto<Elements extends Float32Array | Uint16Array | Uint32Array | Float64Array>(
  source: Elements,
  target: Elements,
  rows: number,
  columns: number,
): void {
  for (let rowTile = 0; rowTile < rows; rowTile += TILE) {
    const endRow = Math.min(rowTile + TILE, rows);
    for (let columnTile = 0; columnTile < columns; columnTile += TILE) {
      const endColumn = Math.min(columnTile + TILE, columns);
      for (let row = rowTile; row < endRow; row++) {
        for (let column = columnTile; column < endColumn; column++) target[column * rows + row] = source[row * columns + column]!;
      }
    }
  }
}
