/** @file The header of a safetensors file, as the tests of its reader and of its writer look at it. */

import { BoundedFile } from "../../src/formats/bounded-file.ts";
import { readSafetensorsHeader, type SafetensorsHeader } from "../../src/formats/safetensors/safetensors.ts";

export function headerOf(path: string): SafetensorsHeader {
  const file = new BoundedFile(path);
  try {
    return readSafetensorsHeader(file);
  } finally {
    file.close();
  }
}
